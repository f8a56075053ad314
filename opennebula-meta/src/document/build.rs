//! The one place where a [`Document`] grows: both readers push into a [`Builder`], which keeps the bounds.

use std::sync::Arc;

use super::{Document, Entry, Error, Limits, Place, Span, Tree, Why, index, narrow, path};
use crate::known::Known;

const NONE: Span = Span { from: 0, to: 0 };

/// What is outside a document.
pub(super) const NOWHERE: Entry = Entry {
    name: NONE,
    known: Known::Unlisted,
    value: NONE,
    parent: 0,
    end: 0,
    offset: 0,
    ordinal: 0,
    repeated: false,
    stated: false,
};

/// Where lines end in the input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    /// Line ends before the first of `ends`.
    before: u64,
    /// Where the line starts in which the first of `ends` is.
    start: u64,
    /// Where lines end, ascending.
    ends: Vec<u64>,
}

impl Lines {
    /// The lines of a whole text.
    pub(super) fn of(text: &str) -> Self {
        let mut lines = Self::default();
        for (at, byte) in text.bytes().enumerate() {
            if byte == b'\n' {
                lines.push(u64::try_from(at).unwrap_or(u64::MAX));
            }
        }
        lines
    }

    /// A line ends at `offset`, behind all others.
    pub(super) fn push(&mut self, offset: u64) {
        self.ends.push(offset);
    }

    /// Forgets the ends before `offset`: nobody will ask for a place there.
    pub(super) fn start_at(&mut self, offset: u64) {
        let gone = self.ends.partition_point(|end| *end < offset);
        if let Some(last) = gone.checked_sub(1).and_then(|last| self.ends.get(last)) {
            self.before += u64::try_from(gone).unwrap_or(u64::MAX);
            self.start = last + 1;
            self.ends.drain(..gone);
        }
    }

    /// Those up to `offset`.
    fn until(&self, offset: u64) -> Self {
        let count = self.ends.partition_point(|end| *end < offset);
        Self { ends: self.ends.get(..count).unwrap_or_default().to_vec(), ..*self }
    }

    /// Line and column of an offset.
    pub(super) fn place(&self, offset: u64, path: String) -> Place {
        let ends = self.ends.partition_point(|end| *end < offset);
        let start =
            ends.checked_sub(1).and_then(|last| self.ends.get(last)).map_or(self.start, |end| end + 1);
        let line = self.before + u64::try_from(ends).unwrap_or(u64::MAX);
        let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
        Place { line: narrow(line), column: narrow(offset.saturating_sub(start)), path }
    }
}

/// How a piece of a value was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// As text: blanks alone are indentation.
    Plain,
    /// As a reference, within text: counts even if it is a blank.
    Reference,
    /// In CDATA or a JSON string: every character counts, blanks around it do not.
    Exact,
}

/// An element as it stands in the raw text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named<'a> {
    /// What was written so far: names are in there, and most values.
    pub(super) raw: &'a str,
    pub(super) name: Span,
    pub(super) known: Known,
    /// Where it stands, from where the document's text begins in the input.
    pub(super) offset: u32,
}

/// An element that is open.
#[derive(Clone, Copy, Debug)]
struct Open {
    number: u32,
    /// The last of its children; 0, which is the root and nobody's child, stands for none.
    last: u32,
}

#[derive(Debug)]
pub(super) struct Builder {
    /// Its text has, until the raw one is put before it, the values that were not written as they are.
    tree: Tree,
    /// Whose values those are.
    made: Vec<u32>,
    /// The open elements, root first.
    open: Vec<Open>,
    /// Where the value of the innermost open element starts in the tree's text, as long as it has no element below.
    value_from: usize,
    /// Blanks that count only if something else than blanks stands beside them.
    blanks: String,
    /// The innermost open element has text that is not blank.
    plain: bool,
    limits: Limits,
}

impl Builder {
    pub(super) fn new(limits: &Limits, text: usize, entries: usize) -> Self {
        Self::filling(
            limits,
            Tree {
                text: String::with_capacity(text),
                entries: Vec::with_capacity(entries),
                from: 0,
                lines: Lines::default(),
            },
        )
    }

    /// A builder that grows into the memory of a document, if nobody else holds that any more.
    pub(super) fn reusing(limits: &Limits, old: Document) -> Option<Self> {
        let mut tree = Arc::into_inner(old.0)?;
        tree.text.clear();
        tree.entries.clear();
        tree.from = 0;
        Some(Self::filling(limits, tree))
    }

    fn filling(limits: &Limits, tree: Tree) -> Self {
        Self {
            tree,
            made: Vec::new(),
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

    /// The name of the innermost open element.
    pub(super) fn innermost(&self) -> Option<Span> {
        self.open.last().map(|open| self.tree.entry(open.number).name)
    }

    /// Opens an element below the innermost open one.
    pub(super) fn open(&mut self, element: Named<'_>) -> Result<(), Why> {
        let number = self.enter(element, NONE, false)?;
        self.value_from = self.tree.text.len();
        self.open.push(Open { number, last: 0 });
        Ok(())
    }

    /// Adds an element with a value and nothing below it, below the innermost open one.
    #[inline(always)]
    pub(super) fn leaf(&mut self, element: Named<'_>, value: Span, stated: bool) -> Result<(), Why> {
        self.enter(element, value, stated).map(|_| ())
    }

    #[inline(always)]
    fn enter(&mut self, element: Named<'_>, value: Span, stated: bool) -> Result<u32, Why> {
        let Named { raw, name, known, offset } = element;
        let Tree { text, entries, .. } = &mut self.tree;
        if self.open.len() >= self.limits.depth {
            return Err(Why::TooDeep(self.limits.depth));
        }
        if entries.len() >= self.limits.elements {
            return Err(Why::TooMany(self.limits.elements));
        }
        let number = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        let mut parent = 0;
        let mut ordinal = 0;
        match self.open.last_mut() {
            None => {}
            Some(open) => {
                parent = open.number;
                if open.last == 0 {
                    if !is_blank(text.get(self.value_from..).unwrap_or_default()) {
                        return Err(Why::Mixed);
                    }
                    text.truncate(self.value_from);
                    if let Some(above) = entries.get_mut(index(parent)) {
                        above.stated = false;
                    }
                } else if let Some(sibling) = entries.get_mut(index(open.last))
                    && sibling.known == known
                    && (known != Known::Unlisted || sibling.name.of(raw) == name.of(raw))
                {
                    sibling.repeated = true;
                    ordinal = sibling.ordinal + 1;
                }
                open.last = number;
            }
        }
        self.blanks.clear();
        self.plain = false;
        entries.push(Entry {
            name,
            known,
            value,
            parent,
            end: number + 1,
            offset,
            ordinal,
            repeated: ordinal > 0,
            stated,
        });
        Ok(number)
    }

    /// Adds to the value of the innermost open element. Outside the root, and beside elements, only blanks pass.
    pub(super) fn text(&mut self, text: &str, piece: Piece) -> Result<(), Why> {
        let Some(open) = self.open.last() else {
            return if is_blank(text) { Ok(()) } else { Err(Why::Trailing) };
        };
        if open.last != 0 {
            return if is_blank(text) { Ok(()) } else { Err(Why::Mixed) };
        }
        match piece {
            Piece::Plain if !self.plain && is_blank(text) => {
                self.blanks.push_str(text);
                return Ok(());
            }
            Piece::Plain | Piece::Reference => {
                self.plain = true;
                self.tree.text.push_str(&self.blanks);
            }
            Piece::Exact => {}
        }
        self.blanks.clear();
        self.tree.text.push_str(text);
        if let Some(entry) = self.tree.entries.get_mut(index(open.number)) {
            entry.stated = true;
        }
        Ok(())
    }

    /// Closes the innermost open element.
    pub(super) fn close(&mut self) {
        self.blanks.clear();
        self.plain = false;
        let Some(Open { number, last }) = self.open.pop() else { return };
        let end = narrow(self.tree.entries.len());
        let Some(entry) = self.tree.entries.get_mut(index(number)) else { return };
        entry.end = end;
        if last == 0 && entry.stated {
            entry.value = Span::new(self.value_from, self.tree.text.len());
            self.made.push(number);
        }
    }

    /// Whether there is no element yet.
    pub(super) fn is_empty(&self) -> bool {
        self.tree.entries.is_empty()
    }

    /// The root's name, empty before there is a root.
    pub(super) fn root_name<'a>(&self, raw: &'a str) -> &'a str {
        self.tree.entries.first().and_then(|root| root.name.of(raw)).unwrap_or_default()
    }

    /// The document, with all that was written; it begins at `from` in the input.
    pub(super) fn finish(mut self, raw: &str, from: u64, lines: &Lines) -> Document {
        self.tree.from = from;
        let last = self.tree.entries.last().map_or(0, |entry| u64::from(entry.offset));
        self.tree.lines = lines.until(self.tree.from + last);
        self.tree.text.insert_str(0, raw);
        for number in self.made {
            if let Some(entry) = self.tree.entries.get_mut(index(number)) {
                entry.value = entry.value.behind(raw);
            }
        }
        Document(Arc::new(self.tree))
    }

    pub(super) fn error(&self, raw: &str, offset: u64, lines: &Lines, why: Why) -> Error {
        let path =
            self.open.last().map_or_else(String::new, |open| path(&self.tree.entries, raw, open.number));
        Error::new(lines.place(offset, path), why)
    }
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_whitespace())
}
