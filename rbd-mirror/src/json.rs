//! The fields of a JSON object that are asked for; what else is in it is passed over, and never kept.
//!
//! Read in place: a tree of values for each position and number took more than half of the time of a status. A field of another type
//! than expected is an absent field, not the end of all the others.

use std::fmt;

use serde_core::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::journal::Position;

/// The values of those names, in their order. They are found fastest in the order in which the object has them.
///
/// # Errors
/// What is no JSON object.
pub(crate) fn fields<const N: usize>(json: &str, names: [&str; N]) -> Result<[Field; N], serde_json::Error> {
    let mut found = [const { Field::Absent }; N];
    read(json, &names, &mut found)?;
    Ok(found)
}

fn read(json: &str, names: &[&str], found: &mut [Field]) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.deserialize_map(Object { names, found })?;
    deserializer.end()
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

    /// `{}` is no position.
    pub(crate) fn position(&self) -> Option<Position> {
        if let Self::Position(position) = self { *position } else { None }
    }
}

/// Reads an object into the fields of those names.
struct Object<'a> {
    names: &'a [&'a str],
    found: &'a mut [Field],
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut from = 0;
        while let Some(at) = map.next_key_seed(Name { names: self.names, from })? {
            match at.and_then(|at| self.found.get_mut(at).map(|field| (at, field))) {
                Some((at, field)) => {
                    *field = map.next_value()?;
                    from = at + 1;
                }
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// Reads a key as its place among those names; the one after the last that was found is tried first.
struct Name<'a> {
    names: &'a [&'a str],
    from: usize,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Option<usize>, E> {
        if self.names.get(self.from).is_some_and(|name| *name == key) {
            return Ok(Some(self.from));
        }
        Ok(self.names.iter().position(|name| *name == key))
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Field, E> {
        Ok(Field::Unsigned(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Field, E> {
        Ok(u64::try_from(number).map_or(Field::Negative(number), Field::Unsigned))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Field, E> {
        Ok(Field::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Field, E> {
        Ok(Field::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_unit<E>(self) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Field, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Field, A::Error> {
        let mut found = [Field::Absent, Field::Absent];
        Object { names: &["entry_tid", "tag_tid"], found: &mut found }.visit_map(map)?;
        let [entry_tid, tag_tid] = found.map(|field| field.unsigned());
        let position = tag_tid.zip(entry_tid).map(|(tag_tid, entry_tid)| Position { tag_tid, entry_tid });
        Ok(Field::Position(position))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::{Field, fields};

    #[test]
    fn what_is_asked_for_is_found_and_the_rest_is_passed_over() {
        let json = r#"{"b":[1,{"a":2}],"a":-3,"c":{"tag_tid":1,"x":[],"entry_tid":2},"d":"\u0041\"","e":null,"f":{}}"#;
        let [a, b, c, d, e, f, g] = fields(json, ["a", "b", "c", "d", "e", "f", "g"]).unwrap();
        assert_eq!((a.integer(), a.number(), a.seconds()), (Some(-3), None, None));
        assert_eq!(c.position().map(|position| (position.tag_tid, position.entry_tid)), Some((1, 2)));
        assert!(matches!(
            (&b, &e, &f, &g),
            (Field::Other, Field::Other, Field::Position(None), Field::Absent)
        ));
        assert_eq!(d.text().as_deref(), Some("A\""));
    }

    #[test]
    fn what_is_no_object_or_more_than_one_is_refused() {
        for json in ["", "[]", "1", "{", r#"{"a":}"#, "{} {}", r#"{"a":1"#] {
            assert!(fields(json, ["a"]).is_err(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn no_input_makes_it_panic(any in any::<String>(), text in "[\\[\\]{}:,\"0-9a-c \\\\-]{0,40}") {
            let _ = fields(&any, ["a"]);
            let _ = fields(&text, ["a", "b"]);
        }
    }
}
