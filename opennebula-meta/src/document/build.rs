//! The one place where a [`Document`] grows: both readers push into a [`Builder`], which keeps the bounds.

use super::{Document, Entry, Error, Limits, Place, Span, Why, index};

const NONE: Span = Span { from: 0, to: 0 };

/// What a span outside a document reads as.
pub(super) const NOWHERE: Entry = Entry {
    name: NONE,
    value: NONE,
    parent: 0,
    first_child: 0,
    last_child: 0,
    next: 0,
    line: 0,
    column: 0,
    stated: false,
};

/// Line and column in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    pub(super) line: u32,
    pub(super) column: u32,
}

impl At {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    pub(super) fn place(self, path: String) -> Place {
        Place { line: self.line, column: self.column, path }
    }
}

/// The place right behind `read`.
pub(super) fn place_after(read: &[u8]) -> Place {
    let lines = read.iter().filter(|byte| **byte == b'\n').count();
    let column = read.iter().rev().take_while(|byte| **byte != b'\n').count();
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
    Place { line: narrow(lines), column: narrow(column), path: String::new() }
}

#[derive(Debug)]
pub(super) struct Builder {
    document: Document,
    /// The open elements, root first.
    open: Vec<u32>,
    /// Where the value of the innermost open element starts in the text, as long as it has no element below.
    value_from: u32,
    /// Blanks outside CDATA that count only if something else than blanks stands beside them.
    blanks: String,
    /// The innermost open element has text outside CDATA that is not blank.
    plain: bool,
    limits: Limits,
}

/// How a piece of a value was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// As text or a reference: blanks alone are indentation.
    Plain,
    /// In CDATA or a JSON string: every character counts.
    Exact,
}

impl Builder {
    pub(super) fn new(limits: &Limits, text: usize, entries: usize) -> Self {
        Self {
            document: Document { text: String::with_capacity(text), entries: Vec::with_capacity(entries) },
            open: Vec::with_capacity(8),
            value_from: 0,
            blanks: String::new(),
            plain: false,
            limits: *limits,
        }
    }

    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Opens an element below the innermost open one.
    pub(super) fn open(&mut self, name: &str, at: At) -> Result<(), Error> {
        let document = &mut self.document;
        if self.open.len() >= self.limits.depth {
            return Err(self.error(at, Why::TooDeep(self.limits.depth)));
        }
        if document.entries.len() >= self.limits.elements {
            return Err(self.error(at, Why::TooMany(self.limits.elements)));
        }
        let number = u32::try_from(document.entries.len()).unwrap_or(u32::MAX);
        let parent = self.open.last().copied().unwrap_or(0);
        if let Some(above) = self.open.last().copied().and_then(|n| document.entries.get_mut(index(n))) {
            let before = above.last_child;
            above.last_child = number;
            if before == 0 {
                let beside = document.text.get(index(self.value_from)..).unwrap_or_default();
                if !is_blank(beside) {
                    return Err(self.error(at, Why::Mixed));
                }
                above.first_child = number;
                document.text.truncate(index(self.value_from));
                above.stated = false;
            } else if let Some(sibling) = document.entries.get_mut(index(before)) {
                sibling.next = number;
            }
        }
        let from = self.end();
        self.document.text.push_str(name);
        let name = Span { from, to: self.end() };
        self.value_from = name.to;
        self.blanks.clear();
        self.plain = false;
        let value = Span { from: name.to, to: name.to };
        let entry = Entry { name, value, parent, line: at.line, column: at.column, ..NOWHERE };
        self.document.entries.push(entry);
        self.open.push(number);
        Ok(())
    }

    /// Adds to the value of the innermost open element. Outside the root, and beside elements, only blanks pass.
    pub(super) fn text(&mut self, text: &str, piece: Piece, at: At) -> Result<(), Error> {
        let Some(entry) = self.open.last().copied().and_then(|n| self.document.entries.get_mut(index(n)))
        else {
            return if is_blank(text) { Ok(()) } else { Err(self.error(at, Why::Trailing)) };
        };
        if entry.first_child != 0 {
            return if is_blank(text) { Ok(()) } else { Err(self.error(at, Why::Mixed)) };
        }
        match piece {
            Piece::Plain if !self.plain && is_blank(text) => self.blanks.push_str(text),
            Piece::Plain => {
                entry.stated = true;
                self.plain = true;
                self.document.text.push_str(&self.blanks);
                self.blanks.clear();
                self.document.text.push_str(text);
            }
            Piece::Exact => {
                entry.stated = true;
                self.blanks.clear();
                self.document.text.push_str(text);
            }
        }
        Ok(())
    }

    /// Closes the innermost open element.
    pub(super) fn close(&mut self) {
        let end = self.end();
        self.blanks.clear();
        self.plain = false;
        let Some(number) = self.open.pop() else { return };
        if let Some(entry) = self.document.entries.get_mut(index(number))
            && entry.first_child == 0
        {
            entry.value = Span { from: self.value_from, to: end };
        }
    }

    /// The root's name, empty before there is a root.
    pub(super) fn root_name(&self) -> &str {
        self.document.entries.first().map_or("", |root| self.document.slice(root.name))
    }

    pub(super) fn finish(self) -> Document {
        self.document
    }

    pub(super) fn error(&self, at: At, why: Why) -> Error {
        Error::new(at.place(self.path()), why)
    }

    /// The path of the innermost open element.
    pub(super) fn path(&self) -> String {
        match self.open.last() {
            Some(at) => super::Element { document: &self.document, at: *at }.path(),
            None => String::new(),
        }
    }

    fn end(&self) -> u32 {
        u32::try_from(self.document.text.len()).unwrap_or(u32::MAX)
    }
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_whitespace())
}
