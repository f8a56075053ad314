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
    Document, Error, Limits, Place, Why,
    build::{At, Builder, Piece, place_after},
};

/// Reads one document.
pub(super) fn parse(text: &str, limits: &Limits) -> Result<Document, Error> {
    let source = Source::new(text, limits)?;
    let (name, value) = source.only_member()?;
    let mut builder = Builder::new(limits, text.len() / 2, text.len() / 48);
    source.element(&mut builder, &name, value)?;
    if builder.depth() != 0 {
        return Err(source.error(value, Why::Shape));
    }
    Ok(builder.finish())
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
            let mut builder = Builder::new(limits, member.get().len() / 2, member.get().len() / 48);
            source.element(&mut builder, &name, member)?;
            documents.push(builder.finish());
        }
    }
    Ok(documents)
}

struct Source<'a> {
    text: &'a str,
    whole: &'a RawValue,
    /// Where each line but the first starts.
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    fn new(text: &'a str, limits: &Limits) -> Result<Self, Error> {
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > limits.bytes {
            return Err(Error::new(At::START.place(String::new()), Why::TooLong(limits.bytes)));
        }
        let whole = serde_json::from_str(text).map_err(|wrong| json_error(wrong, text))?;
        let lines =
            text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1).collect();
        Ok(Self { text, whole, lines })
    }

    fn only_member(&self) -> Result<(String, &'a RawValue), Error> {
        let mut members = self.members(self.whole)?.into_iter();
        match (members.next(), members.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(self.error(self.whole, Why::Shape)),
        }
    }

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

    fn element(&self, builder: &mut Builder, name: &str, value: &'a RawValue) -> Result<(), Error> {
        let at = self.at(value);
        let raw = value.get();
        match raw.bytes().next() {
            Some(b'{') => {
                builder.open(name, at)?;
                for (name, value) in self.members(value)? {
                    for member in self.list(value)? {
                        self.element(builder, &name, member)?;
                    }
                }
                builder.close();
            }
            // A list in a list, or a list as the whole document.
            Some(b'[') | None => return Err(builder.error(at, Why::Shape)),
            Some(b'"') => {
                builder.open(name, at)?;
                let text: String = self.read(value)?;
                if text.contains('\r') {
                    let text = text.replace("\r\n", "\n").replace('\r', "\n");
                    builder.text(&text, Piece::Exact, at)?;
                } else {
                    builder.text(&text, Piece::Exact, at)?;
                }
                builder.close();
            }
            Some(b'n') => {
                builder.open(name, at)?;
                builder.close();
            }
            Some(_) => {
                builder.open(name, at)?;
                builder.text(raw, Piece::Exact, at)?;
                builder.close();
            }
        }
        Ok(())
    }

    fn error(&self, value: &RawValue, why: Why) -> Error {
        Error::new(self.at(value).place(String::new()), why)
    }

    /// A raw value is a part of the text that it was read from, so its address tells its place.
    fn at(&self, value: &RawValue) -> At {
        let offset = value.get().as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|before| self.lines.get(before)).copied().unwrap_or(0);
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
        At { line: narrow(line), column: narrow(offset.saturating_sub(start)) }
    }
}

fn json_error(wrong: JsonError, text: &str) -> Error {
    if wrong.is_eof() {
        return Error::new(place_after(text.as_bytes()), Why::Truncated);
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
