//! The text form, read by the rules of OpenNebula's lexer (`src/parsers/template_parser.l`, `template_syntax.y`;
//! unchanged from 6.10 to 7.4): two states, the longest match counts, and what matches nothing is skipped.
//!
//! That the longest match counts has odd consequences, kept here on purpose: a quoted value runs over `\"` only where
//! another quote follows, and `K="v";` is a bare word with its quotes in it.

use memchr::memmem::Finder;

use super::{Key, KeyError, Template, Vector};
use crate::document::{self, Place};

/// A text that OpenNebula would not take as a template.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{refusal} at {at}")]
pub struct ParseError {
    /// Where.
    pub at: Place,
    /// Why.
    #[source]
    pub refusal: Refusal,
}

/// Why a text is no template.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A name where something else must stand: two names without `=`, a key with a blank or a dash in it.
    #[error("unexpected name")]
    UnexpectedName,
    /// `=` without a name before it, or a second one.
    #[error("unexpected =")]
    UnexpectedEqual,
    /// `,` outside a vector, or twice.
    #[error("unexpected ,")]
    UnexpectedComma,
    /// `]` without `[`, or after `,` or `=`.
    #[error("unexpected ]")]
    UnexpectedBracket,
    /// `[` within a vector.
    #[error("a vector within a vector")]
    NestedVector,
    /// A value where a name must stand.
    #[error("unexpected value")]
    UnexpectedValue,
    /// The text ends within an attribute; also after a comment or `K=` without a line end.
    #[error("the text ends too early")]
    Truncated,
    /// `]]>`, which OpenNebula cannot store.
    #[error("]]> cannot be stored")]
    CdataEnd,
    /// A character that OpenNebula's API does not take.
    #[error("the character U+{:04X} is not taken", u32::from(*.0))]
    Character(char),
    /// A name that OpenNebula cannot store, such as one that starts with a digit within a vector.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// XML with a third level of elements.
    #[error("a third level of elements")]
    ThreeLevels,
    /// XML that cannot be read.
    #[error("not XML")]
    Xml(#[source] document::Why),
}

/// Whether OpenNebula's API takes this character: no control characters but tab and line ends, nothing outside the
/// basic plane (fault -503, observed on 6.10.3 and 7.4.0), nothing that XML has not.
pub(super) fn is_taken(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}')
}

/// Reads a template in the text form.
pub(super) fn text(text: &str) -> Result<Template, ParseError> {
    let unix;
    let text = if text.contains('\r') {
        unix = text.replace("\r\n", "\n").replace('\r', "\n");
        unix.as_str()
    } else {
        text
    };
    if let Some((at, character)) = text.char_indices().find(|(_, character)| !is_taken(*character)) {
        return Err(error(text, at, Refusal::Character(character)));
    }
    let lexer = Lexer {
        text,
        at: 0,
        state: State::Outside,
        line_ends: Ahead::of("\n"),
        cdata_ends: Ahead::of("]]>"),
    };
    Parser { lexer, template: Template::new() }.run()
}

fn error(text: &str, at: usize, refusal: Refusal) -> ParseError {
    let before = text.get(..at).unwrap_or(text);
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
    let line = narrow(before.bytes().filter(|byte| *byte == b'\n').count());
    let column = narrow(before.bytes().rev().take_while(|byte| *byte != b'\n').count());
    ParseError { at: Place { line, column, path: String::new() }, refusal }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Where names and separators stand.
    Outside,
    /// Behind `=`.
    Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token<'a> {
    Name(&'a str),
    Equal,
    EqualEmpty,
    Comma,
    Open,
    Close,
    /// A value, not yet unescaped.
    Text(&'a str),
    CdataEnd,
    End,
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    state: State,
    line_ends: Ahead,
    cdata_ends: Ahead,
}

/// Where something comes next. It is looked for once, however often it is asked for on the way there: else a long
/// line would cost the square of its length.
struct Ahead {
    finder: Finder<'static>,
    next: Option<usize>,
    looked_from: Option<usize>,
}

impl Ahead {
    fn of(needle: &'static str) -> Self {
        Self { finder: Finder::new(needle), next: None, looked_from: None }
    }

    /// The first one at or behind `at`; questions come in ascending order.
    fn from(&mut self, text: &str, at: usize) -> Option<usize> {
        let known = self.looked_from.is_some() && self.next.is_none_or(|next| next >= at);
        if !known {
            self.looked_from = Some(at);
            let found = self.finder.find(text.as_bytes().get(at..).unwrap_or_default());
            self.next = found.map(|found| at + found);
        }
        self.next
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_blank_or_line(byte: u8) -> bool {
    is_blank(byte) || byte == b'\n'
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_bare(byte: u8) -> bool {
    !is_blank_or_line(byte) && !matches!(byte, b'=' | b'#' | b',' | b'[' | b']')
}

/// How many bytes at the start pass.
fn run(bytes: &[u8], pass: fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !pass(*byte)).unwrap_or(bytes.len())
}

fn after(bytes: &[u8], count: usize) -> &[u8] {
    bytes.get(count..).unwrap_or_default()
}

impl<'a> Lexer<'a> {
    fn next(&mut self) -> Token<'a> {
        loop {
            let rest = after(self.text.as_bytes(), self.at);
            if rest.is_empty() {
                return Token::End;
            }
            let text = self.text.get(self.at..).unwrap_or_default();
            let line = self.line_ends.from(self.text, self.at).unwrap_or(self.text.len()) - self.at;
            let (length, token) = match self.state {
                State::Outside => outside(rest, text, line),
                State::Value => {
                    let cdata = self.cdata_ends.from(self.text, self.at);
                    let refused = cdata.is_some_and(|cdata| cdata + 3 <= self.at + line);
                    value(rest, text, if refused { line } else { 0 })
                }
            };
            self.at += length;
            match token {
                Some(Token::Equal) => self.state = State::Value,
                Some(Token::Open | Token::Text(_) | Token::CdataEnd) => self.state = State::Outside,
                _ => {}
            }
            if let Some(token) = token {
                return token;
            }
        }
    }
}

/// The longest match outside values; `None` for what is skipped. `line` is how long the line is.
fn outside<'a>(rest: &[u8], text: &'a str, line: usize) -> (usize, Option<Token<'a>>) {
    let blanks = run(rest, is_blank);
    let lines = run(rest, is_blank_or_line);
    match after(rest, blanks).first() {
        // A comment needs its line end; without one the `#` alone is skipped.
        Some(b'#') if line < rest.len() => return (line + 1, None),
        Some(b'=') => {
            let behind = blanks + 1 + run(after(rest, blanks + 1), is_blank);
            if after(rest, behind).first() == Some(&b'\n') {
                return (behind + 1, Some(Token::EqualEmpty));
            }
            return (behind, Some(Token::Equal));
        }
        _ => {}
    }
    match after(rest, lines).first() {
        Some(b',') => {
            return (lines + 1 + run(after(rest, lines + 1), is_blank_or_line), Some(Token::Comma));
        }
        Some(b']') => {
            return (lines + 1 + run(after(rest, lines + 1), is_blank_or_line), Some(Token::Close));
        }
        _ => {}
    }
    if lines > 0 {
        return (lines, None);
    }
    let word = run(rest, is_word);
    if word > 0 {
        return (word, Some(Token::Name(text.get(..word).unwrap_or_default())));
    }
    (skipped(text), None)
}

/// The longest match behind `=`; of equal lengths the first rule counts. `refused` is how long the line is, if there is
/// a `]]>` in it.
fn value<'a>(rest: &[u8], text: &'a str, refused: usize) -> (usize, Option<Token<'a>>) {
    let mut best = (0, None);
    let blanks = run(rest, is_blank);
    if after(rest, blanks).first() == Some(&b'[') {
        best = (blanks + 1 + run(after(rest, blanks + 1), is_blank_or_line), Some(Token::Open));
    }
    if refused > best.0 {
        best = (refused, Some(Token::CdataEnd));
    }
    if let Some(length) = quoted(rest)
        && length > best.0
    {
        best = (length, Some(Token::Text(text.get(1..length - 1).unwrap_or_default())));
    }
    let bare = run(rest, is_bare);
    if bare > best.0 {
        best = (bare, Some(Token::Text(text.get(..bare).unwrap_or_default())));
    }
    if best.0 == 0 { (skipped(text), None) } else { best }
}

/// The length of the longest quoted string at the start, quotes included. A quote behind a backslash may end it, and
/// does so only if no other can.
fn quoted(rest: &[u8]) -> Option<usize> {
    if rest.first() != Some(&b'"') {
        return None;
    }
    let mut longest = None;
    let mut before = b'"';
    for (at, byte) in rest.iter().enumerate().skip(1) {
        if *byte == b'"' {
            longest = Some(at + 1);
            if before != b'\\' {
                break;
            }
        }
        before = *byte;
    }
    longest
}

fn skipped(text: &str) -> usize {
    text.chars().next().map_or(1, char::len_utf8)
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    template: Template,
}

impl<'a> Parser<'a> {
    fn run(mut self) -> Result<Template, ParseError> {
        loop {
            let from = self.lexer.at;
            let name = match self.lexer.next() {
                Token::Name(name) => name,
                Token::End => return Ok(self.template),
                other => return Err(self.unexpected(&other)),
            };
            let key = Key::from_word_at_top(name).map_err(|wrong| self.error_at(from, wrong.into()))?;
            match self.lexer.next() {
                Token::EqualEmpty => self.template.push_single(key, ""),
                Token::Equal => match self.lexer.next() {
                    Token::Text(value) => {
                        let value = self.unescape(value)?;
                        self.template.push_single(key, value);
                    }
                    Token::Open => {
                        let vector = self.vector()?;
                        if !vector.is_empty() {
                            self.template.push_vector(key, vector);
                        }
                    }
                    other => return Err(self.unexpected(&other)),
                },
                other => return Err(self.unexpected(&other)),
            }
        }
    }

    fn vector(&mut self) -> Result<Vector, ParseError> {
        let mut vector = Vector::new();
        let mut first = true;
        loop {
            let from = self.lexer.at;
            let name = match self.lexer.next() {
                Token::Name(name) => name,
                Token::Close if first => return Ok(vector),
                other => return Err(self.unexpected(&other)),
            };
            first = false;
            match self.lexer.next() {
                Token::Equal => {}
                other => return Err(self.unexpected(&other)),
            }
            let value = match self.lexer.next() {
                Token::Text(value) => self.unescape(value)?,
                Token::Open => return Err(self.error(Refusal::NestedVector)),
                other => return Err(self.unexpected(&other)),
            };
            let key =
                Key::new(&name.to_ascii_uppercase()).map_err(|wrong| self.error_at(from, wrong.into()))?;
            vector.push(key, value);
            match self.lexer.next() {
                Token::Comma => {}
                Token::Close => return Ok(vector),
                other => return Err(self.unexpected(&other)),
            }
        }
    }

    fn unescape(&self, raw: &str) -> Result<String, ParseError> {
        if raw.contains("]]>") {
            return Err(self.error(Refusal::CdataEnd));
        }
        Ok(raw.replace("\\\"", "\""))
    }

    fn unexpected(&self, token: &Token<'_>) -> ParseError {
        self.error(match token {
            Token::Name(_) => Refusal::UnexpectedName,
            Token::Equal | Token::EqualEmpty => Refusal::UnexpectedEqual,
            Token::Comma => Refusal::UnexpectedComma,
            Token::Close => Refusal::UnexpectedBracket,
            Token::Open => Refusal::NestedVector,
            Token::Text(_) => Refusal::UnexpectedValue,
            Token::CdataEnd => Refusal::CdataEnd,
            Token::End => Refusal::Truncated,
        })
    }

    fn error(&self, refusal: Refusal) -> ParseError {
        self.error_at(self.lexer.at, refusal)
    }

    fn error_at(&self, at: usize, refusal: Refusal) -> ParseError {
        error(self.lexer.text, at, refusal)
    }
}
