//! XML-RPC, as far as OpenNebula speaks it: calls are written, answers are read. Text in, text out.
//!
//! OpenNebula's server (xmlrpc-c) refuses control characters and characters outside the basic plane; they are refused here
//! before anything is sent, because a name that arrives changed is worse than one that does not arrive.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub(crate) use decode::{Response, response};
pub(crate) use encode::call;

/// A value. Of the types of XML-RPC those that OpenNebula takes or gives, and what holds them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// `i4`, `int`, `i8`
    Int(i64),
    /// `boolean`
    Bool(bool),
    /// `string`, and a value without a type
    Text(String),
    /// `array`
    Array(Vec<Self>),
    /// `struct`
    Struct(Vec<(String, Self)>),
    /// A type that no answer of OpenNebula has: `double`, `base64`, ...
    Other(String),
}

impl Value {
    /// A text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A number of an object.
    pub(crate) fn id(id: u32) -> Self {
        Self::Int(id.into())
    }
}
