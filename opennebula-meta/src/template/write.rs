//! Both forms, written so that they read back as what they were, or refused.

use std::fmt::{Display, Formatter, Result as Fmt};

use super::{Attribute, Key, Template, Value, parse::is_taken};

/// An attribute that a form cannot carry. It names the attribute and never shows the value, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {unfit}")]
pub struct Refused {
    /// The attribute: `NAME`, or `CONTEXT/START_SCRIPT` within a vector.
    pub path: String,
    /// Which occurrence of the top-level name it is, counted from 0.
    pub occurrence: usize,
    /// Why.
    #[source]
    pub unfit: Unfit,
}

/// Why a form cannot carry an attribute.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// The value ends in a backslash, which would swallow the closing quote, and cannot stand without quotes either.
    /// The XML form carries it.
    #[error("ends in a backslash, which the text form cannot quote; use XML")]
    TrailingBackslash,
    /// The value contains `]]>`. No form carries that.
    #[error("contains ]]>, which OpenNebula cannot store")]
    CdataEnd,
    /// A character that OpenNebula's API does not take in any form: a control character, or one outside the basic
    /// plane.
    #[error("contains {0}, which OpenNebula's API does not take")]
    Character(Codepoint),
    /// A carriage return, which arrives as a line feed.
    #[error("contains a carriage return, which would arrive as a line feed")]
    CarriageReturn,
    /// The text form has no such name: lower case, `-`, `.` or a letter outside ASCII. The XML form carries it.
    #[error("a name that the text form cannot have; use XML")]
    Key,
    /// A vector without attributes: OpenNebula stores nothing for it.
    #[error("a vector without attributes")]
    EmptyVector,
}

/// A character, shown by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codepoint(pub char);

impl Display for Codepoint {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        write!(f, "U+{:04X}", u32::from(self.0))
    }
}

/// Whether this is plain ASCII without anything that either form refuses, as nearly every value is.
fn is_plain(text: &str) -> bool {
    const LOW: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let special = |byte: u8| !(0x20..0x7F).contains(&byte) | (byte == b']');
    // Bits of a byte may also be set for what is beside a special one: then all is looked at closely.
    let eight = |eight: &[u8; 8]| {
        let bytes = u64::from_le_bytes(*eight);
        let bracket = bytes ^ u64::from_le_bytes([b']'; 8]);
        let below = bytes.wrapping_sub(u64::from_le_bytes([0x20; 8]));
        (bytes | bytes.wrapping_add(LOW) | below | (bracket.wrapping_sub(LOW) & !bracket)) & HIGH
    };
    let bytes = text.as_bytes();
    if let Some(last) = bytes.last_chunk() {
        return bytes.as_chunks().0.iter().fold(eight(last), |found, each| found | eight(each)) == 0;
    }
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some([a, b, c, d]), Some([e, f, g, h])) => eight(&[*a, *b, *c, *d, *e, *f, *g, *h]) == 0,
        _ => !bytes.iter().any(|byte| special(*byte)),
    }
}

/// What both forms refuse in a value.
fn check(value: &str) -> Result<(), Unfit> {
    if is_plain(value) {
        return Ok(());
    }
    if value.contains("]]>") {
        return Err(Unfit::CdataEnd);
    }
    match value.chars().find(|one| *one == '\r' || !is_taken(*one)) {
        Some('\r') => Err(Unfit::CarriageReturn),
        Some(one) => Err(Unfit::Character(Codepoint(one))),
        None => Ok(()),
    }
}

/// The text form.
pub(super) fn text(template: &Template) -> Result<String, Refused> {
    let mut out = String::with_capacity(template.attributes().len() * 32);
    for (at, attribute) in template.attributes().iter().enumerate() {
        let refuse = |inner: Option<&Key>, unfit| refused(template, at, inner, unfit);
        if !attribute.key.fits_text() {
            return Err(refuse(None, Unfit::Key));
        }
        out.push_str(attribute.key.as_str());
        out.push('=');
        match &attribute.value {
            Value::Single(value) => quote(value, &mut out).map_err(|unfit| refuse(None, unfit))?,
            Value::Vector(vector) => {
                if vector.is_empty() {
                    return Err(refuse(None, Unfit::EmptyVector));
                }
                let mut lead = "[\n  ";
                for (key, value) in vector.iter() {
                    if !key.fits_text() {
                        return Err(refuse(Some(key), Unfit::Key));
                    }
                    out.push_str(lead);
                    lead = ",\n  ";
                    out.push_str(key.as_str());
                    out.push('=');
                    quote(value, &mut out).map_err(|unfit| refuse(Some(key), unfit))?;
                }
                out.push_str(" ]");
            }
        }
        out.push('\n');
    }
    Ok(out)
}

/// Writes a value with its quotes; as a bare word where it ends in a backslash and can be one.
fn quote(value: &str, out: &mut String) -> Result<(), Unfit> {
    check(value)?;
    let escaped = value.replace('"', "\\\"");
    if !value.ends_with('\\') {
        out.push('"');
        out.push_str(&escaped);
        out.push('"');
        return Ok(());
    }
    let special = |one: char| matches!(one, ' ' | '\t' | '\n' | '=' | '#' | ',' | '[' | ']');
    if value.contains(special) {
        return Err(Unfit::TrailingBackslash);
    }
    // No bare word starts with a quote here: a quote is escaped, so the word starts with a backslash.
    out.push_str(&escaped);
    Ok(())
}

/// The XML form.
pub(super) fn xml(template: &Template) -> Result<String, Refused> {
    let mut out = String::with_capacity(template.attributes().iter().map(length_in_xml).sum::<usize>() + 32);
    out.push_str("<TEMPLATE>");
    let check = |value: &str| if template.is_checked { Ok(()) } else { check(value) };
    for (at, attribute) in template.attributes().iter().enumerate() {
        let refuse = |inner: Option<&Key>, unfit| refused(template, at, inner, unfit);
        match &attribute.value {
            Value::Single(value) => {
                check(value).map_err(|unfit| refuse(None, unfit))?;
                element(&attribute.key, value, &mut out);
            }
            Value::Vector(vector) => {
                if vector.is_empty() {
                    return Err(refuse(None, Unfit::EmptyVector));
                }
                out.push('<');
                out.push_str(attribute.key.as_str());
                out.push('>');
                for (key, value) in vector.iter() {
                    check(value).map_err(|unfit| refuse(Some(key), unfit))?;
                    element(key, value, &mut out);
                }
                out.push_str("</");
                out.push_str(attribute.key.as_str());
                out.push('>');
            }
        }
    }
    out.push_str("</TEMPLATE>");
    Ok(out)
}

/// How long an attribute is in XML, or a little less.
fn length_in_xml(attribute: &Attribute) -> usize {
    const NAMES_AND_TAGS: usize = 44;
    match &attribute.value {
        Value::Single(value) => NAMES_AND_TAGS + value.len(),
        Value::Vector(vector) => {
            NAMES_AND_TAGS + vector.iter().map(|(_, value)| NAMES_AND_TAGS + value.len()).sum::<usize>()
        }
    }
}

fn element(key: &Key, value: &str, out: &mut String) {
    if let Some((before, behind)) = key.tags() {
        out.reserve(before.len() + value.len() + behind.len());
        out.push_str(before);
        out.push_str(value);
        out.push_str(behind);
        return;
    }
    out.push('<');
    out.push_str(key.as_str());
    out.push_str("><![CDATA[");
    out.push_str(value);
    out.push_str("]]></");
    out.push_str(key.as_str());
    out.push('>');
}

/// Everything that [`xml`] refuses.
pub(super) fn refused_by_xml(template: &Template) -> Vec<Refused> {
    let mut all = Vec::new();
    for (at, attribute) in template.attributes().iter().enumerate() {
        match &attribute.value {
            Value::Single(value) => {
                all.extend(check(value).err().map(|unfit| refused(template, at, None, unfit)));
            }
            Value::Vector(vector) => {
                if vector.is_empty() {
                    all.push(refused(template, at, None, Unfit::EmptyVector));
                }
                for (key, value) in vector.iter() {
                    all.extend(check(value).err().map(|unfit| refused(template, at, Some(key), unfit)));
                }
            }
        }
    }
    all
}

fn refused(template: &Template, at: usize, inner: Option<&Key>, unfit: Unfit) -> Refused {
    let attributes = template.attributes();
    let Some(attribute) = attributes.get(at) else {
        return Refused { path: String::new(), occurrence: 0, unfit };
    };
    let before = attributes.get(..at).unwrap_or_default();
    let occurrence = before.iter().filter(|other| other.key == attribute.key).count();
    let path = match inner {
        Some(inner) => format!("{}/{inner}", attribute.key),
        None => attribute.key.to_string(),
    };
    Refused { path, occurrence, unfit }
}
