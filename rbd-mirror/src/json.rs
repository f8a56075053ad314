//! JSON as Ceph writes it, and its commands as JSON.
//!
//! [`fields`] reads what is asked for in place and keeps nothing else: a tree of values for each position and number took more than half of
//! the time of a status. [`parse`] makes the tree of an answer that is asked for once. No text nests deeper than [`DEPTH`]: what the other
//! site's daemon wrote must not end this process.

use std::borrow::Cow;

use hifijson::num::LexWrite;
use hifijson::str::{Lex as _, LexAlloc};
use hifijson::token::Lex;
use hifijson::{Error, Expect, SliceLexer, ignore, value};

use crate::journal::Position;

const DEPTH: usize = 64;

/// The values of those names in a JSON object, in their order; `None` for what is no object. They are found fastest in the order in which
/// the object has them. A field of another type than expected is an absent field, not the end of all the others.
pub(crate) fn fields<const N: usize>(json: &str, names: [&str; N]) -> Option<[Field; N]> {
    let mut found = [const { Field::Absent }; N];
    read(json, &names, &mut found).ok()?;
    Some(found)
}

fn read(json: &str, names: &[&str], found: &mut [Field]) -> Result<(), Error> {
    SliceLexer::new(json.as_bytes()).exactly_one(Lex::ws_peek, |next, lexer| {
        if next != b'{' {
            return Err(Expect::Value.into());
        }
        object(lexer, DEPTH, names, found)
    })
}

/// More than this is no estimate: librbd prints 14411518807585587200 when it divides by almost nothing.
const SECONDS_MAX: u64 = 100 * 365 * 24 * 3600;

/// The value of a field, as far as anything is made of it.
#[derive(Debug)]
pub(crate) enum Field {
    Absent,
    Unsigned(u64),
    Negative(i64),
    Float(f64),
    Text(String),
    /// An object, and the position where it is one.
    Position(Option<Position>),
    /// Anything else.
    Other,
}

impl Field {
    fn unsigned(&self) -> Option<u64> {
        if let Self::Unsigned(number) = self { Some(*number) } else { None }
    }

    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Self::Unsigned(number) => i64::try_from(*number).ok(),
            Self::Negative(number) => Some(*number),
            _ => None,
        }
    }

    /// A number that is none below zero.
    pub(crate) fn number(&self) -> Option<f64> {
        let number = match self {
            // Beyond 2^53 the nearest one: these are speeds.
            #[allow(clippy::as_conversions, reason = "there is no other conversion, and none that is exact")]
            Self::Unsigned(number) => *number as f64,
            Self::Float(number) => *number,
            _ => return None,
        };
        Some(number).filter(|number| number.is_finite() && *number >= 0.0)
    }

    pub(crate) fn seconds(&self) -> Option<u64> {
        self.unsigned().filter(|seconds| *seconds <= SECONDS_MAX)
    }

    pub(crate) fn text(self) -> Option<String> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// Whether it is a text, or not there at all.
    pub(crate) fn is_text_if_any(&self) -> bool {
        matches!(self, Self::Absent | Self::Text(_))
    }

    /// `{}` is no position.
    pub(crate) fn position(&self) -> Option<Position> {
        if let Self::Position(position) = self { *position } else { None }
    }
}

/// Reads the object that begins here into the fields of those names.
fn object(
    lexer: &mut SliceLexer<'_>,
    depth: usize,
    names: &[&str],
    found: &mut [Field],
) -> Result<(), Error> {
    let depth = depth.checked_sub(1).ok_or(Error::Depth)?;
    // The one after the last that was found is tried first.
    let mut from = 0;
    lexer.discarded().seq(b'}', Lex::ws_peek, |next, lexer| {
        let at = if names.get(from).is_some_and(|name| is_next(name, lexer)) {
            Some(from)
        } else {
            let name = key(next, lexer)?;
            names.iter().position(|expected| *expected == name)
        };
        let next = lexer.ws_peek().ok_or(Expect::Value)?;
        match at.and_then(|at| found.get_mut(at).map(|field| (at, field))) {
            Some((at, field)) => {
                *field = self::field(next, lexer, depth)?;
                from = at + 1;
                Ok(())
            }
            None => skip(next, lexer, depth),
        }
    })
}

/// Passes over this key and its colon if they are next, as Ceph writes them.
fn is_next(name: &str, lexer: &mut SliceLexer<'_>) -> bool {
    let rest = lexer.as_slice().strip_prefix(b"\"");
    let rest = rest.and_then(|rest| rest.strip_prefix(name.as_bytes())?.strip_prefix(b"\":"));
    rest.is_some_and(|rest| {
        *lexer = SliceLexer::new(rest);
        true
    })
}

/// A key and the colon after it.
fn key<'a>(next: u8, lexer: &mut SliceLexer<'a>) -> Result<Cow<'a, str>, Error> {
    lexer.expect(|_| Some(next), b'"').ok_or(Expect::String)?;
    let key = lexer.str_string()?;
    colon(lexer)?;
    Ok(key)
}

fn colon(lexer: &mut SliceLexer<'_>) -> Result<(), Error> {
    Ok(lexer.expect(Lex::ws_peek, b':').ok_or(Expect::Colon)?)
}

fn field(next: u8, lexer: &mut SliceLexer<'_>, depth: usize) -> Result<Field, Error> {
    match next {
        b'"' => Ok(Field::Text(lexer.discarded().str_string()?.into_owned())),
        b'-' | b'0'..=b'9' => {
            if let Some(number) = count(lexer) {
                return Ok(Field::Unsigned(number));
            }
            let (number, parts) = lexer.num_string().validated()?;
            let whole = parts.is_int().then_some(number);
            let unsigned = whole.and_then(|number| number.parse().ok()).map(Field::Unsigned);
            let negative = || whole.and_then(|number| number.parse().ok()).map(Field::Negative);
            let float = || number.parse().map_or(Field::Other, Field::Float);
            Ok(unsigned.or_else(negative).unwrap_or_else(float))
        }
        b'{' => {
            // The object is of no use here: a name that is expected is passed over faster than one that is not.
            let mut found = [const { Field::Absent }; 3];
            object(lexer, depth, &["entry_tid", "object_number", "tag_tid"], &mut found)?;
            let [entry_tid, _, tag_tid] = &found;
            let position = tag_tid.unsigned().zip(entry_tid.unsigned());
            Ok(Field::Position(position.map(|(tag_tid, entry_tid)| Position { tag_tid, entry_tid })))
        }
        _ => skip(next, lexer, depth).map(|()| Field::Other),
    }
}

/// Reads the number that is next if it is a plain count, as most are, in half the time of any number.
fn count(lexer: &mut SliceLexer<'_>) -> Option<u64> {
    let next = lexer.as_slice();
    let digits = next.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = next.split_at_checked(digits)?;
    // Eighteen digits are never too many for the type. What more begins with a zero, or goes on behind the digits, is for the lexer to judge.
    let is_plain = digits == 1 || ((2..=18).contains(&digits) && number.first() != Some(&b'0'));
    if !is_plain || !matches!(rest.first(), Some(b',' | b'}')) {
        return None;
    }
    *lexer = SliceLexer::new(rest);
    Some(number.iter().fold(0, |count, digit| count * 10 + u64::from(digit - b'0')))
}

fn skip(next: u8, lexer: &mut SliceLexer<'_>, depth: usize) -> Result<(), Error> {
    let depth = depth.checked_sub(1).ok_or(Error::Depth)?;
    match next {
        b'[' => lexer.discarded().seq(b']', Lex::ws_peek, |next, lexer| skip(next, lexer, depth)),
        b'{' => lexer.discarded().seq(b'}', Lex::ws_peek, |next, lexer| {
            lexer.expect(|_| Some(next), b'"').ok_or(Expect::String)?;
            lexer.str_ignore()?;
            colon(lexer)?;
            skip(lexer.ws_peek().ok_or(Expect::Value)?, lexer, depth)
        }),
        scalar => ignore::parse(scalar, lexer),
    }
}

/// A value with all that is in it, borrowed from its text.
pub(crate) type Value<'a> = value::Value<&'a str, Cow<'a, str>>;

/// The one value that a text is; `None` for what is no JSON.
pub(crate) fn parse(json: &[u8]) -> Option<Value<'_>> {
    SliceLexer::new(json).exactly_one(Lex::ws_peek, tree).ok()
}

/// The value at the beginning of a text, whatever follows it.
pub(crate) fn first(json: &[u8]) -> Option<Value<'_>> {
    let mut lexer = SliceLexer::new(json);
    tree(lexer.ws_peek()?, &mut lexer).ok()
}

fn tree<'a>(next: u8, lexer: &mut SliceLexer<'a>) -> Result<Value<'a>, Error> {
    value::parse_bounded(DEPTH, next, lexer)
}

/// What a value is asked for. What is of another type is not there; of two members of a name the last one counts, as in [`fields`].
pub(crate) trait Tree<'a> {
    fn get(&self, name: &str) -> Option<&Self>;
    fn members(&self) -> &[(Cow<'a, str>, Value<'a>)];
    fn items(&self) -> Option<&[Value<'a>]>;
    fn text(&self) -> Option<&str>;
    fn unsigned(&self) -> Option<u64>;
    fn boolean(&self) -> Option<bool>;
}

impl<'a> Tree<'a> for Value<'a> {
    fn get(&self, name: &str) -> Option<&Self> {
        self.members().iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// None of what is no object.
    fn members(&self) -> &[(Cow<'a, str>, Self)] {
        if let Value::Object(members) = self { members } else { &[] }
    }

    fn items(&self) -> Option<&[Self]> {
        if let Value::Array(items) = self { Some(items) } else { None }
    }

    fn text(&self) -> Option<&str> {
        if let Value::String(text) = self { Some(text) } else { None }
    }

    fn unsigned(&self) -> Option<u64> {
        if let Value::Number((number, _)) = self { number.parse().ok() } else { None }
    }

    fn boolean(&self) -> Option<bool> {
        if let Value::Bool(boolean) = self { Some(*boolean) } else { None }
    }
}

/// The object of these texts, as a command is sent.
pub(crate) fn command(fields: &[(&str, &str)]) -> String {
    let mut written = String::from("{");
    for (name, text) in fields {
        if written.len() > 1 {
            written.push(',');
        }
        write(name, &mut written);
        written.push(':');
        write(text, &mut written);
    }
    written.push('}');
    written
}

/// Writes a text as JSON. hifijson's own writer leaves the control characters from U+0014 on as they are.
fn write(text: &str, to: &mut String) {
    to.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => to.extend(['\\', char]),
            '\0'..='\u{1f}' => to.push_str(&format!("\\u{:04x}", u32::from(char))),
            _ => to.push(char),
        }
    }
    to.push('"');
}

#[cfg(test)]
mod tests;
