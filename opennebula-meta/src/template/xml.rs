//! The XML form, and the attributes of documents: children are attributes, grandchildren make a vector.

use super::{Key, ParseError, Refusal, Template, Vector, parse::is_taken};
use crate::document::{Document, Element};

/// What to make of an element without any text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Empty {
    /// An attribute without a value, as a document means it.
    Keep,
    /// Nothing, as OpenNebula does with a template it is given.
    Drop,
}

/// Reads a template in the XML form.
pub(super) fn parse(text: &str) -> Result<Template, ParseError> {
    let document = Document::parse(text)
        .map_err(|wrong| ParseError { at: wrong.at, refusal: Refusal::Xml(wrong.why) })?;
    attributes(document.root(), Empty::Drop)
}

/// The attributes below `root`.
pub(super) fn attributes(root: Element<'_>, empty: Empty) -> Result<Template, ParseError> {
    let mut template = Template::new();
    for child in root.children() {
        let key = key(child)?;
        if child.is_leaf() {
            if child.is_stated() || empty == Empty::Keep {
                template.push_single(key, value(child, empty)?);
            }
            continue;
        }
        let mut vector = Vector::new();
        for inner in child.children() {
            if !inner.is_leaf() {
                return Err(refused(inner, Refusal::ThreeLevels));
            }
            if inner.is_stated() || empty == Empty::Keep {
                vector.push(self::key(inner)?, value(inner, empty)?);
            }
        }
        if !vector.is_empty() {
            template.push_vector(key, vector);
        }
    }
    Ok(template)
}

fn key(element: Element<'_>) -> Result<Key, ParseError> {
    Key::new(element.name()).map_err(|wrong| refused(element, wrong.into()))
}

/// A template is read as OpenNebula would take it; what a document holds is left for the writer to refuse.
fn value(element: Element<'_>, empty: Empty) -> Result<String, ParseError> {
    let text = element.text();
    if empty == Empty::Drop {
        if text.contains("]]>") {
            return Err(refused(element, Refusal::CdataEnd));
        }
        if let Some(character) = text.chars().find(|character| !is_taken(*character)) {
            return Err(refused(element, Refusal::Character(character)));
        }
    }
    Ok(text.to_owned())
}

fn refused(element: Element<'_>, refusal: Refusal) -> ParseError {
    ParseError { at: element.place(), refusal }
}
