//! XML into a [`Builder`]: elements, text, CDATA and the five entities of XML. Everything else is skipped (comments,
//! processing instructions, attributes) or refused (document types, other entities).

use std::io::{BufRead, Error as IoError, Read};

use quick_xml::{
    Error as XmlError, Reader,
    errors::{IllFormedError, SyntaxError},
    events::{BytesRef, Event},
};

use super::{
    Document, Error, Limits, Why,
    build::{At, Builder, Piece},
};

/// Reads one document from a text.
pub(super) fn parse(text: &str, limits: &Limits) -> Result<Document, Error> {
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > limits.bytes {
        return Err(Error::new(At::START.place(String::new()), Why::TooLong(limits.bytes)));
    }
    let mut tokens = Tokens::new(text.as_bytes(), limits);
    let guess = text.len().min(1 << 20);
    let mut builder = Builder::new(limits, guess / 2, guess / 48);
    let mut done = false;
    loop {
        match tokens.step(&mut builder, !done)? {
            Step::Open | Step::Inside => {}
            Step::Closed => done |= builder.depth() == 0,
            Step::End if done => return Ok(builder.finish()),
            Step::End => return Err(builder.error(tokens.at, Why::Truncated)),
        }
    }
}

/// What one token did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// An element was opened.
    Open,
    /// An element was closed.
    Closed,
    /// Anything else within the document.
    Inside,
    /// The input is at its end.
    End,
}

/// The tokens of an XML text, with their places.
#[derive(Debug)]
pub(super) struct Tokens<R> {
    reader: Reader<Bounded<R>>,
    buffer: Vec<u8>,
    /// Where the next token starts.
    pub(super) at: At,
    limits: Limits,
}

impl<R: BufRead> Tokens<R> {
    pub(super) fn new(input: R, limits: &Limits) -> Self {
        let bounded = Bounded { inner: input, left: limits.bytes, spent: false };
        Self { reader: Reader::from_reader(bounded), buffer: Vec::new(), at: At::START, limits: *limits }
    }

    /// Grants the next object of a stream its own [`Limits::bytes`].
    pub(super) fn renew(&mut self) {
        self.reader.get_mut().left = self.limits.bytes;
    }

    /// Takes one token and lets it act on `builder`; `root` says whether an element may still open outside all others.
    pub(super) fn step(&mut self, builder: &mut Builder, root: bool) -> Result<Step, Error> {
        self.buffer.clear();
        let at = self.at;
        let from = self.reader.buffer_position();
        let event = match self.reader.read_event_into(&mut self.buffer) {
            Ok(event) => event,
            Err(wrong) => {
                let bounded = self.reader.get_mut();
                let ended = bounded.inner.fill_buf().is_ok_and(<[u8]>::is_empty);
                let cut = matches!(wrong, XmlError::Syntax(SyntaxError::InvalidBangMarkup)) && ended;
                let why = if cut { Why::Truncated } else { reason(wrong, bounded.spent, self.limits.bytes) };
                return Err(builder.error(at, why));
            }
        };
        let length = self.reader.buffer_position().saturating_sub(from);
        self.at = moved(at, length, &event);
        match event {
            Event::Start(start) => {
                if builder.depth() == 0 && !root {
                    return Err(builder.error(at, Why::Trailing));
                }
                builder.open(start.name().into_inner(), at)?;
                Ok(Step::Open)
            }
            Event::Empty(start) => {
                if builder.depth() == 0 && !root {
                    return Err(builder.error(at, Why::Trailing));
                }
                builder.open(start.name().into_inner(), at)?;
                builder.close();
                Ok(Step::Closed)
            }
            Event::End(_) => {
                builder.close();
                Ok(Step::Closed)
            }
            Event::Text(text) => {
                builder.text(&text.xml10_content(), Piece::Plain, at)?;
                Ok(Step::Inside)
            }
            Event::CData(text) => {
                builder.text(&text.xml10_content(), Piece::Exact, at)?;
                Ok(Step::Inside)
            }
            Event::GeneralRef(reference) => {
                let character = resolve(&reference).map_err(|why| builder.error(at, why))?;
                builder.text(character.encode_utf8(&mut [0; 4]), Piece::Exact, at)?;
                Ok(Step::Inside)
            }
            Event::DocType(_) => Err(builder.error(at, Why::Doctype)),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => Ok(Step::Inside),
            Event::Eof => Ok(Step::End),
        }
    }
}

/// The character that a reference stands for. A reference cannot bring more than one character: nothing expands.
fn resolve(reference: &BytesRef<'_>) -> Result<char, Why> {
    match &**reference {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        other => match reference.resolve_char_ref() {
            Ok(Some(character)) => Ok(character),
            Ok(None) => Err(Why::Entity(other.chars().take(40).collect())),
            Err(_) => Err(Why::CharacterReference),
        },
    }
}

fn reason(wrong: XmlError, spent: bool, bytes: u64) -> Why {
    match wrong {
        _ if spent => Why::TooLong(bytes),
        XmlError::Io(error) => Why::Io(error),
        XmlError::Encoding(_) => Why::NotUtf8,
        XmlError::Syntax(
            SyntaxError::UnclosedPI
            | SyntaxError::UnclosedXmlDecl
            | SyntaxError::UnclosedComment
            | SyntaxError::UnclosedDoctype
            | SyntaxError::UnclosedCData
            | SyntaxError::UnclosedTag
            | SyntaxError::UnclosedSingleQuotedAttributeValue
            | SyntaxError::UnclosedDoubleQuotedAttributeValue,
        )
        | XmlError::IllFormed(IllFormedError::MissingEndTag(_)) => Why::Truncated,
        other => Why::Xml(other),
    }
}

/// The place behind a token of `length` bytes that began at `at`.
fn moved(at: At, length: u64, event: &Event<'_>) -> At {
    let (content, lead): (&str, usize) = match event {
        Event::Text(text) => (text, 0),
        Event::CData(text) => (text, 9),
        Event::Comment(text) => (text, 4),
        Event::Start(text) | Event::Empty(text) => (text, 1),
        Event::End(text) => (text, 2),
        Event::PI(text) => (text, 2),
        Event::Decl(text) => (text, 2),
        Event::DocType(_) | Event::GeneralRef(_) | Event::Eof => ("", 0),
    };
    let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    match content.bytes().rposition(|byte| byte == b'\n') {
        None => At { line: at.line, column: at.column.saturating_add(narrow(length)) },
        Some(last) => {
            let lines = content.bytes().filter(|byte| *byte == b'\n').count();
            let behind = length.saturating_sub(u64::try_from(lead + last).unwrap_or(u64::MAX));
            At {
                line: at.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX)),
                column: narrow(behind),
            }
        }
    }
}

/// A reader that stops after a number of bytes, so that no token can grow past it.
#[derive(Debug)]
struct Bounded<R> {
    inner: R,
    left: u64,
    spent: bool,
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, IoError> {
        let have = self.fill_buf()?;
        let count = have.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..count), have.get(..count)) {
            to.copy_from_slice(from);
        }
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> Result<&[u8], IoError> {
        let have = self.inner.fill_buf()?;
        if have.is_empty() {
            return Ok(have);
        }
        if self.left == 0 {
            self.spent = true;
            return Err(IoError::other("the document is longer than allowed"));
        }
        let allowed = usize::try_from(self.left).unwrap_or(usize::MAX).min(have.len());
        Ok(have.get(..allowed).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.left = self.left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        self.inner.consume(count);
    }
}
