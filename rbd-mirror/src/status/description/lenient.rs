//! A field of another type than expected is an absent field, not the end of all the others.
//!
//! Read in place: a tree of values for each position and number took more than half of the time of a description.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::journal::Position;

/// More than this is no estimate: librbd prints 14411518807585587200 when it divides by almost nothing.
const SECONDS_MAX: u64 = 100 * 365 * 24 * 3600;

pub(super) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Any::deserialize(deserializer).map(|value| match value {
        Any::Unsigned(number) => i64::try_from(number).ok(),
        Any::Negative(number) => Some(number),
        _ => None,
    })
}

pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let number = Any::deserialize(deserializer).map(|value| match value {
        // Beyond 2^53 the nearest one: these are speeds.
        #[allow(clippy::as_conversions, reason = "there is no other conversion, and none that is exact")]
        Any::Unsigned(number) => Some(number as f64),
        Any::Float(number) => Some(number),
        _ => None,
    });
    number.map(|number| number.filter(|number| number.is_finite() && *number >= 0.0))
}

pub(super) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Any::deserialize(deserializer).map(|value| value.unsigned().filter(|seconds| *seconds <= SECONDS_MAX))
}

pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Any::deserialize(deserializer).map(|value| match value {
        Any::Text(text) => Some(text),
        _ => None,
    })
}

/// `{}` is no position.
pub(super) fn position<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Position>, D::Error> {
    Any::deserialize(deserializer).map(|value| match value {
        Any::Position(position) => position,
        _ => None,
    })
}

/// Any value of JSON, as far as a field may be made of it.
enum Any {
    Unsigned(u64),
    Negative(i64),
    Float(f64),
    Text(String),
    /// A map, and the position where it is one.
    Position(Option<Position>),
    Nothing,
}

impl Any {
    fn unsigned(&self) -> Option<u64> {
        if let Self::Unsigned(number) = self { Some(*number) } else { None }
    }
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Any;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Any, E> {
        Ok(Any::Unsigned(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Any, E> {
        Ok(u64::try_from(number).map_or(Any::Negative(number), Any::Unsigned))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Any, E> {
        Ok(Any::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Any, E> {
        Ok(Any::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Any, E> {
        Ok(Any::Nothing)
    }

    fn visit_unit<E>(self) -> Result<Any, E> {
        Ok(Any::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Any, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Any::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Any, A::Error> {
        let (mut tag_tid, mut entry_tid) = (None, None);
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::TagTid => tag_tid = map.next_value::<Any>()?.unsigned(),
                Key::EntryTid => entry_tid = map.next_value::<Any>()?.unsigned(),
                Key::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let position = tag_tid.zip(entry_tid).map(|(tag_tid, entry_tid)| Position { tag_tid, entry_tid });
        Ok(Any::Position(position))
    }
}

/// A key of a position.
enum Key {
    TagTid,
    EntryTid,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E>(self, key: &str) -> Result<Key, E> {
                Ok(match key {
                    "tag_tid" => Key::TagTid,
                    "entry_tid" => Key::EntryTid,
                    _ => Key::Other,
                })
            }
        }

        deserializer.deserialize_str(KeyVisitor)
    }
}
