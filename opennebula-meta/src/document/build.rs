//! The one place where a [`Document`] grows: both readers push into a [`Builder`], which keeps the bounds.

use std::sync::Arc;

use super::{Document, Entry, Error, Limits, Place, Span, Tree, Why, index, name_hash};

const NONE: Span = Span { from: 0, to: 0 };

/// What a span outside a document reads as.
pub(super) const NOWHERE: Entry = Entry {
    name: NONE,
    hash: 0,
    value: NONE,
    parent: 0,
    first_child: 0,
    next: 0,
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

/// An element with a value and nothing below it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf<'a> {
    pub(super) name: &'a str,
    /// What was written, from the name's start to the value's end.
    pub(super) written: &'a str,
    /// The length of the value.
    pub(super) value: usize,
}

#[derive(Debug)]
pub(super) struct Builder {
    tree: Tree,
    /// The open elements, root first, and the last child of each (0: none yet).
    open: Vec<(u32, u32)>,
    /// Where the value of the innermost open element starts in the text, as long as it has no element below.
    value_from: u32,
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

    /// Opens an element below the innermost open one. `offset` is where it stands in the input.
    pub(super) fn open(&mut self, name: &str, offset: u64) -> Result<(), Why> {
        let number = self.enter(name, offset)?;
        self.tree.text.push_str(name);
        self.value_from = self.end();
        self.open.push((number, 0));
        Ok(())
    }

    /// Adds an element below the innermost open one, without a value as yet. The caller writes its name.
    fn enter(&mut self, name: &str, offset: u64) -> Result<u32, Why> {
        let hash = name_hash(name.as_bytes());
        let tree = &mut self.tree;
        if self.open.len() >= self.limits.depth {
            return Err(Why::TooDeep(self.limits.depth));
        }
        if tree.entries.len() >= self.limits.elements {
            return Err(Why::TooMany(self.limits.elements));
        }
        if tree.entries.is_empty() {
            tree.from = offset;
        }
        let number = u32::try_from(tree.entries.len()).unwrap_or(u32::MAX);
        let mut parent = 0;
        let mut ordinal = 0;
        if let Some((above, last)) = self.open.last_mut() {
            parent = *above;
            if *last == 0 {
                if !is_blank(tree.text.get(index(self.value_from)..).unwrap_or_default()) {
                    return Err(Why::Mixed);
                }
                tree.text.truncate(index(self.value_from));
                if let Some(above) = tree.entries.get_mut(index(parent)) {
                    above.first_child = number;
                    above.stated = false;
                }
            } else {
                let Tree { text, entries, .. } = tree;
                if let Some(sibling) = entries.get_mut(index(*last)) {
                    sibling.next = number;
                    let (from, to) = (index(sibling.name.from), index(sibling.name.to));
                    if sibling.hash == hash && text.get(from..to) == Some(name) {
                        sibling.repeated = true;
                        ordinal = sibling.ordinal + 1;
                    }
                }
            }
            *last = number;
        }
        let from = self.end();
        let name = Span { from, to: from + u32::try_from(name.len()).unwrap_or(u32::MAX - from) };
        self.blanks.clear();
        self.plain = false;
        self.tree.entries.push(Entry {
            name,
            hash,
            value: Span { from: name.to, to: name.to },
            parent,
            offset: u32::try_from(offset - self.tree.from).unwrap_or(u32::MAX),
            ordinal,
            repeated: ordinal > 0,
            ..NOWHERE
        });
        Ok(number)
    }

    /// An element with a value and nothing below it, below the innermost open one.
    pub(super) fn leaf(&mut self, leaf: Leaf<'_>, offset: u64) -> Result<(), Why> {
        self.enter(leaf.name, offset)?;
        let from = self.end();
        // One copy for both.
        self.tree.text.push_str(leaf.written);
        let to = self.end();
        let length = u32::try_from(leaf.value).unwrap_or(0);
        if let Some(entry) = self.tree.entries.last_mut() {
            entry.value = Span { from: to.saturating_sub(length).max(from), to };
            entry.stated = true;
        }
        Ok(())
    }

    /// Adds to the value of the innermost open element. Outside the root, and beside elements, only blanks pass.
    pub(super) fn text(&mut self, text: &str, piece: Piece) -> Result<(), Why> {
        let Some((number, last)) = self.open.last() else {
            return if is_blank(text) { Ok(()) } else { Err(Why::Trailing) };
        };
        if *last != 0 {
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
        if let Some(entry) = self.tree.entries.get_mut(index(*number)) {
            entry.stated = true;
        }
        Ok(())
    }

    /// Closes the innermost open element.
    pub(super) fn close(&mut self) {
        let end = self.end();
        self.blanks.clear();
        self.plain = false;
        let Some((number, last)) = self.open.pop() else { return };
        if last == 0
            && let Some(entry) = self.tree.entries.get_mut(index(number))
        {
            entry.value = Span { from: self.value_from, to: end };
        }
    }

    /// The root's name, empty before there is a root.
    pub(super) fn root_name(&self) -> &str {
        self.tree.entries.first().map_or("", |root| self.tree.slice(root.name))
    }

    pub(super) fn finish(mut self, lines: &Lines) -> Document {
        let last = self.tree.entries.last().map_or(0, |entry| u64::from(entry.offset));
        self.tree.lines = lines.until(self.tree.from + last);
        Document(Arc::new(self.tree))
    }

    pub(super) fn error(&self, offset: u64, lines: &Lines, why: Why) -> Error {
        let path = self.open.last().map_or_else(String::new, |(at, _)| self.tree.path(*at));
        Error::new(lines.place(offset, path), why)
    }

    fn end(&self) -> u32 {
        u32::try_from(self.tree.text.len()).unwrap_or(u32::MAX)
    }
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_whitespace())
}
