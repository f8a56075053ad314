//! XML into a [`Builder`]: elements, text, CDATA, and the five entities of XML. Everything else is skipped (comments,
//! processing instructions, attributes) or refused (document types, other entities).
//!
//! A reader of its own, because a pool is read far faster by one that knows how OpenNebula writes (short names, no
//! attributes, values in CDATA) than by one for all XML; a property test holds it against `quick-xml`.

mod window;
mod word;
mod written;

use std::io::BufRead;
use std::sync::LazyLock;

use memchr::{memchr, memchr2, memmem::Finder};

use super::{
    Document, Error, Limits, Syntax, Why,
    build::{Builder, Named, Piece},
};
use crate::known::Known;
use window::Window;

static CDATA_END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("]]>"));
static COMMENT_END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("-->"));
static INSTRUCTION_END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("?>"));

/// The longest reference that is looked at, `&` and `;` included: `&#x10FFFF;` and some zeros.
const REFERENCE_MAX: usize = 40;

/// Reads one document from a text.
pub(super) fn parse(text: &str, limits: &Limits) -> Result<Document, Error> {
    let guess = text.len().min(1 << 20);
    let mut builder = Builder::new(limits, guess, guess / 36);
    let mut tokens = Tokens::new(text.as_bytes(), limits);
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > limits.bytes {
        return Err(tokens.error(&builder, Why::TooLong(limits.bytes)));
    }
    let mut done = false;
    loop {
        match tokens.step(&mut builder, !done)? {
            Step::Open | Step::Inside => {}
            Step::Closed => done |= builder.depth() == 0,
            Step::End if done => return Ok(tokens.finish(builder)),
            Step::End => return Err(tokens.error(&builder, Why::Truncated)),
        }
    }
}

/// What one token did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// An element was opened.
    Open,
    /// An element was closed, or opened and closed.
    Closed,
    /// Anything else within the document.
    Inside,
    /// The input is at its end.
    End,
}

/// The tokens of an XML text.
#[derive(Debug)]
pub(super) struct Tokens<R> {
    window: Window<R>,
    /// The name of the pool, where the elements are objects in one.
    pool: Option<String>,
}

impl<R: BufRead> Tokens<R> {
    pub(super) fn new(input: R, limits: &Limits) -> Self {
        Self { window: Window::new(input, limits.bytes), pool: None }
    }

    /// What comes is within this element.
    pub(super) fn enter_pool(&mut self, root: &Builder) {
        self.pool = Some(self.root_name(root).to_owned());
    }

    /// The root's name, empty before there is a root.
    pub(super) fn root_name(&self, root: &Builder) -> &str {
        root.root_name(self.window.object())
    }

    /// The next token starts another object of a stream, with its own [`Limits::bytes`].
    pub(super) fn start_object(&mut self) {
        self.window.start_object();
    }

    /// Where the next token starts in the stream.
    pub(super) fn offset(&self) -> u64 {
        self.window.offset(self.window.at)
    }

    pub(super) fn finish(&self, builder: Builder) -> Document {
        builder.finish(self.window.object_read(), self.window.object_offset(), self.window.lines())
    }

    pub(super) fn error(&self, builder: &Builder, why: Why) -> Error {
        builder.error(self.window.object(), self.offset(), self.window.lines(), why)
    }

    /// Takes the tokens up to one that is worth a look and lets them act on `builder`; `root` says whether an element may still open outside all others.
    pub(super) fn step(&mut self, builder: &mut Builder, root: bool) -> Result<Step, Error> {
        if builder.depth() > 0 {
            self.window.as_written(builder).map_err(|why| self.error(builder, why))?;
        }
        self.token(builder, root).map_err(|why| self.error(builder, why))
    }

    fn token(&mut self, builder: &mut Builder, root: bool) -> Result<Step, Why> {
        if !self.window.want(2)? && self.window.rest().is_empty() {
            return Ok(Step::End);
        }
        match self.window.rest().as_bytes() {
            [b'<', b'/', ..] => self.end_tag(builder),
            [b'<', b'!', ..] => self.declaration(builder),
            [b'<', b'?', ..] => {
                let end = self.behind(&INSTRUCTION_END, 2)?;
                self.window.at = end;
                Ok(Step::Inside)
            }
            [b'<', ..] => self.start_tag(builder, root),
            _ => self.text(builder),
        }
    }

    /// `</NAME>`
    fn end_tag(&mut self, builder: &mut Builder) -> Result<Step, Why> {
        let from = self.window.at + 2;
        let end = self.window.find(b'>', from)?.ok_or(Why::Truncated)?;
        let open = match (builder.innermost(), &self.pool) {
            (Some(name), _) => name.of(self.window.object()).unwrap_or_default(),
            (None, Some(pool)) => pool,
            (None, None) => return Err(Why::Xml(Syntax::UnexpectedEnd)),
        };
        if self.window.slice(from, end).trim_ascii_end() != open {
            return Err(Why::Xml(Syntax::Mismatched));
        }
        if builder.depth() == 0 {
            self.pool = None;
        }
        builder.close();
        self.window.at = end + 1;
        Ok(Step::Closed)
    }

    /// `<NAME>`, `<NAME/>`, with attributes that nobody reads.
    fn start_tag(&mut self, builder: &mut Builder, root: bool) -> Result<Step, Why> {
        let from = self.window.at + 1;
        let mut name_end = from;
        let plain = loop {
            let rest = self.window.bytes().get(name_end..).unwrap_or_default();
            let length = rest.iter().position(|byte| !is_of_name(*byte));
            name_end += length.unwrap_or(rest.len());
            if let Some(behind) = length.and_then(|length| rest.get(length)) {
                break *behind == b'>';
            }
            if !self.window.more()? {
                return Err(Why::Truncated);
            }
        };
        if !starts_name(self.window.bytes().get(from..name_end).unwrap_or_default()) {
            return Err(Why::Xml(Syntax::Name));
        }
        let end = if plain { name_end } else { self.tag_end(name_end)? };
        let empty = end > name_end && self.window.bytes().get(end - 1) == Some(&b'/');
        if builder.depth() == 0 && self.pool.is_none() && !root {
            return Err(Why::Trailing);
        }
        let element = Named {
            raw: self.window.object(),
            name: self.window.span(from, name_end),
            known: Known::find(self.window.slice(from, name_end).as_bytes()),
            offset: self.window.in_object(self.window.at),
        };
        builder.open(element)?;
        if empty {
            builder.close();
        }
        self.window.at = end + 1;
        Ok(if empty { Step::Closed } else { Step::Open })
    }

    /// The `>` of a tag, past its attributes, whose values may contain one.
    fn tag_end(&mut self, mut at: usize) -> Result<usize, Why> {
        let mut quote = None;
        loop {
            let Some(byte) = self.window.bytes().get(at).copied() else {
                if self.window.more()? {
                    continue;
                }
                return Err(Why::Truncated);
            };
            match (quote, byte) {
                (None, b'>') => return Ok(at),
                (None, b'<') => return Err(Why::Xml(Syntax::Tag)),
                (None, b'"' | b'\'') => quote = Some(byte),
                (Some(open), byte) if open == byte => quote = None,
                _ => {}
            }
            at += 1;
        }
    }

    /// `<![CDATA[...]]>`, a comment, or a document type.
    fn declaration(&mut self, builder: &mut Builder) -> Result<Step, Why> {
        const CDATA: &str = "<![CDATA[";
        const COMMENT: &str = "<!--";
        const DOCTYPE: &str = "<!DOCTYPE";
        let enough = self.window.want(CDATA.len())?;
        let rest = self.window.rest();
        if rest.starts_with(CDATA) {
            let end = self.behind(&CDATA_END, CDATA.len())?;
            let value = self.window.slice(self.window.at + CDATA.len(), end - 3);
            value_of(builder, value, Piece::Exact, self.window.has_returns)?;
            self.window.at = end;
            return Ok(Step::Inside);
        }
        if rest.starts_with(COMMENT) {
            self.window.at = self.behind(&COMMENT_END, COMMENT.len())?;
            return Ok(Step::Inside);
        }
        if rest.get(..DOCTYPE.len()).is_some_and(|start| start.eq_ignore_ascii_case(DOCTYPE)) {
            return Err(Why::Doctype);
        }
        let cut = !enough && [CDATA, COMMENT, DOCTYPE].iter().any(|whole| whole.starts_with(rest));
        Err(if cut { Why::Truncated } else { Why::Xml(Syntax::Declaration) })
    }

    /// Text up to the next tag, references resolved. A reference stands for one character: nothing can expand.
    fn text(&mut self, builder: &mut Builder) -> Result<Step, Why> {
        let from = self.window.at;
        let end = match self.window.find(b'<', from)? {
            Some(end) => end,
            None => self.window.bytes().len(),
        };
        let text = self.window.slice(from, end);
        if memchr(b'&', text.as_bytes()).is_none() {
            value_of(builder, text, Piece::Plain, self.window.has_returns)?;
            self.window.at = end;
            return Ok(Step::Inside);
        }
        // The places of what is wrong are those of the reference, so the window moves on piece by piece.
        let next = memchr2(b'&', b'<', text.as_bytes()).unwrap_or(text.len());
        if next > 0 {
            let before = self.window.slice(from, from + next);
            value_of(builder, before, Piece::Plain, self.window.has_returns)?;
            self.window.at = from + next;
            return Ok(Step::Inside);
        }
        let near = text.as_bytes().get(..REFERENCE_MAX).unwrap_or(text.as_bytes());
        let Some(semicolon) = memchr(b';', near) else {
            let ended = end == self.window.bytes().len() && text.len() < REFERENCE_MAX;
            return Err(if ended { Why::Truncated } else { Why::Xml(Syntax::Reference) });
        };
        let character = resolve(text.get(1..semicolon).unwrap_or_default())?;
        builder.text(character.encode_utf8(&mut [0; 4]), Piece::Reference)?;
        self.window.at = from + semicolon + 1;
        Ok(Step::Inside)
    }

    /// The place behind the next `end`, at least `skip` bytes from here.
    fn behind(&mut self, end: &Finder<'_>, skip: usize) -> Result<usize, Why> {
        let from = self.window.at + skip;
        let found = self.window.find_text(end, from)?.ok_or(Why::Truncated)?;
        Ok(found + end.needle().len())
    }
}

/// Line ends within values become LF, as XML has it.
fn value_of(builder: &mut Builder, value: &str, piece: Piece, has_returns: bool) -> Result<(), Why> {
    if has_returns && value.contains('\r') {
        return builder.text(&value.replace("\r\n", "\n").replace('\r', "\n"), piece);
    }
    builder.text(value, piece)
}

/// Whether this can be the name of an element.
pub(super) fn is_name(name: &str) -> bool {
    starts_name(name.as_bytes()) && name.bytes().all(is_of_name)
}

fn starts_name(name: &[u8]) -> bool {
    name.first().is_some_and(|first| !first.is_ascii_digit() && !matches!(first, b'-' | b'.'))
}

fn is_of_name(byte: u8) -> bool {
    OF_NAME.get(usize::from(byte)).copied().unwrap_or(false)
}

/// Bytes that names of elements are made of.
static OF_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = byte >= 0x80
            || matches!(byte, 0x30..=0x39 | 0x41..=0x5A | 0x61..=0x7A | 0x2D | 0x2E | 0x3A | 0x5F);
        byte += 1;
    }
    table
};

/// The character that a reference stands for.
fn resolve(name: &str) -> Result<char, Why> {
    let number = match name {
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "amp" => return Ok('&'),
        "quot" => return Ok('"'),
        "apos" => return Ok('\''),
        _ => match name.strip_prefix('#') {
            Some(number) => number,
            None => return Err(Why::Entity(name.to_owned())),
        },
    };
    let number = match number.strip_prefix('x') {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            u32::from_str_radix(digits, 16)
        }
        None if number.bytes().all(|byte| byte.is_ascii_digit()) => number.parse(),
        _ => return Err(Why::CharacterReference),
    };
    let character = number.ok().filter(|number| *number != 0).and_then(char::from_u32);
    character.ok_or(Why::CharacterReference)
}
