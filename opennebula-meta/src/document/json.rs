//! JSON into a [`Builder`], by the rules of OpenNebula's `-j`: an object is an element with elements below it, a list
//! is one element a member, everything else is a value. Line ends become LF, as XML does with the same value.

use std::{
    fmt::{Formatter, Result as Fmt},
    sync::Arc,
};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Error as JsonError, value::RawValue};

use super::{
    Document, Error, LONGEST, Limits, Place, Span, Why,
    build::{Builder, Lines, Named},
    xml::is_name,
};
use crate::known::Known;

/// Reads one document.
pub(super) fn parse(text: &str, limits: &Limits) -> Result<Document, Error> {
    let source = Source::new(text, limits)?;
    let (name, value) = source.only_member()?;
    source.document(&name, value, limits)
}

/// Reads each object of a pool, or the one object that is no pool, as a document.
pub(super) fn parse_pool(text: &str, limits: &Limits) -> Result<Vec<Document>, Error> {
    let source = Source::new(text, &Limits { bytes: u64::MAX, ..*limits })?;
    let (name, value) = source.only_member()?;
    if !name.ends_with("_POOL") {
        return parse(text, limits).map(|document| vec![document]);
    }
    let mut documents = Vec::new();
    for (name, value) in source.members(value)? {
        for member in source.list(value)? {
            if u64::try_from(member.get().len()).unwrap_or(u64::MAX) > limits.bytes {
                return Err(source.error(member, Why::TooLong(limits.bytes)));
            }
            documents.push(source.document(&name, member, limits)?);
        }
    }
    Ok(documents)
}

/// A document as it grows.
struct Written {
    builder: Builder,
    /// Names and values, one after the other.
    raw: String,
}

impl Written {
    fn push(&mut self, text: &str) -> Span {
        let from = self.raw.len();
        self.raw.push_str(text);
        Span::new(from, self.raw.len())
    }
}

struct Source<'a> {
    text: &'a str,
    whole: &'a RawValue,
    lines: Lines,
}

impl<'a> Source<'a> {
    fn new(text: &'a str, limits: &Limits) -> Result<Self, Error> {
        let longest = limits.bytes.min(LONGEST);
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > longest {
            return Err(Error::new(Lines::default().place(0, String::new()), Why::TooLong(longest)));
        }
        let lines = Lines::of(text);
        let whole = serde_json::from_str(text).map_err(|wrong| json_error(wrong, text, &lines))?;
        Ok(Self { text, whole, lines })
    }

    fn only_member(&self) -> Result<(String, &'a RawValue), Error> {
        let mut members = self.members(self.whole)?.into_iter();
        match (members.next(), members.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(self.error(self.whole, Why::Shape)),
        }
    }

    fn document(&self, name: &str, value: &'a RawValue, limits: &Limits) -> Result<Document, Error> {
        let mut written = Written {
            builder: Builder::new(limits, 0, value.get().len() / 48),
            raw: String::with_capacity(value.get().len() / 2),
        };
        self.element(&mut written, name, value)?;
        Ok(written.builder.finish(&written.raw, 0, &self.lines))
    }

    /// The members of an object, in order.
    fn members(&self, value: &'a RawValue) -> Result<Vec<(String, &'a RawValue)>, Error> {
        let members: Members<'a> = self.read(value)?;
        Ok(members.0)
    }

    /// The members of a list, or the value itself where it is no list.
    fn list(&self, value: &'a RawValue) -> Result<Vec<&'a RawValue>, Error> {
        if value.get().starts_with('[') { self.read(value) } else { Ok(vec![value]) }
    }

    fn read<T: Deserialize<'a>>(&self, value: &'a RawValue) -> Result<T, Error> {
        serde_json::from_str(value.get()).map_err(|_| self.error(value, Why::Shape))
    }

    fn element(&self, to: &mut Written, name: &str, value: &'a RawValue) -> Result<(), Error> {
        let offset = self.offset(value);
        let offset32 = u32::try_from(offset).unwrap_or(u32::MAX);
        let refused = |to: &Written, why| to.builder.error(&to.raw, offset, &self.lines, why);
        let raw = value.get();
        // Anything can be a name in JSON; what cannot be an element would become something else as XML.
        if !is_name(name) {
            return Err(refused(to, Why::Name));
        }
        let known = Known::find(name.as_bytes());
        let name = to.push(name);
        match raw.bytes().next() {
            // A list in a list, or a list as the whole document.
            Some(b'[') => return Err(refused(to, Why::Shape)),
            Some(b'{') => {
                let element = Named { raw: &to.raw, name, known, offset: offset32 };
                to.builder.open(element).map_err(|why| refused(to, why))?;
                for (name, value) in self.members(value)? {
                    for member in self.list(value)? {
                        self.element(to, &name, member)?;
                    }
                }
                to.builder.close();
                return Ok(());
            }
            _ => {}
        }
        let (value, stated) = match raw.bytes().next() {
            Some(b'"') => {
                let mut text: String = self.read(value)?;
                if text.contains('\r') {
                    text = text.replace("\r\n", "\n").replace('\r', "\n");
                }
                (to.push(&text), true)
            }
            Some(b'n') | None => (to.push(""), false),
            Some(_) => (to.push(raw), true),
        };
        let element = Named { raw: &to.raw, name, known, offset: offset32 };
        to.builder.leaf(element, value, stated).map_err(|why| refused(to, why))
    }

    fn error(&self, value: &RawValue, why: Why) -> Error {
        Error::new(self.lines.place(self.offset(value), String::new()), why)
    }

    /// A raw value is a part of the text that it was read from, so its address tells its place.
    fn offset(&self, value: &RawValue) -> u64 {
        let offset = value.get().as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        u64::try_from(offset).unwrap_or(u64::MAX)
    }
}

fn json_error(wrong: JsonError, text: &str, lines: &Lines) -> Error {
    if wrong.is_eof() {
        let end = u64::try_from(text.len()).unwrap_or(u64::MAX);
        return Error::new(lines.place(end, String::new()), Why::Truncated);
    }
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let at = Place { line: narrow(wrong.line()), column: narrow(wrong.column()), path: String::new() };
    Error::new(at, Why::Json(Arc::new(wrong)))
}

/// The members of an object in their order, repeated names included.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut Formatter<'_>) -> Fmt {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        from.deserialize_map(Object)
    }
}
