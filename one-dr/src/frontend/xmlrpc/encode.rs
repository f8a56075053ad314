//! Calls.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::Value;

/// What XML-RPC cannot carry to OpenNebula. It names a character by its number, and never shows the text around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// A control character, NUL among them; a carriage return, which would arrive as a line feed; a character outside the
    /// basic plane, emoji among them.
    #[error("it contains U+{:04X}, which OpenNebula's XML-RPC does not carry", u32::from(*.0))]
    Character(char),
    /// No `i4`.
    #[error("{0} is out of range")]
    Number(i64),
    /// An argument of a kind that no method takes.
    #[error("no method takes such an argument")]
    Kind,
}

/// Writes a call. The text holds the credentials: it is wiped when dropped.
///
/// # Errors
/// [`Unfit`]
pub(crate) fn call(method: &str, arguments: &[Value]) -> Result<Zeroizing<String>, Unfit> {
    let length = |value: &Value| if let Value::Text(text) = value { text.len() } else { 0 };
    // Room from the start: a text that moved leaves a copy of what it held.
    let room = 512 + arguments.iter().map(|value| 64 + 6 * length(value)).sum::<usize>();
    let mut out = Zeroizing::new(String::with_capacity(room));
    out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<methodCall><methodName>");
    text(&mut out, method)?;
    out.push_str("</methodName><params>");
    for argument in arguments {
        out.push_str("<param><value>");
        match argument {
            Value::Int(number) => {
                let number = i32::try_from(*number).map_err(|_| Unfit::Number(*number))?;
                // Writing to a string cannot fail.
                _ = write!(out, "<int>{number}</int>");
            }
            Value::Bool(flag) => _ = write!(out, "<boolean>{}</boolean>", u8::from(*flag)),
            Value::Text(argument) => {
                out.push_str("<string>");
                text(&mut out, argument)?;
                out.push_str("</string>");
            }
            Value::Array(_) | Value::Struct(_) | Value::Other(_) => return Err(Unfit::Kind),
        }
        out.push_str("</value></param>");
    }
    out.push_str("</params></methodCall>\n");
    Ok(out)
}

fn text(out: &mut String, text: &str) -> Result<(), Unfit> {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' | '\n' => out.push(character),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' | '\u{10000}'.. => {
                return Err(Unfit::Character(character));
            }
            _ => out.push(character),
        }
    }
    Ok(())
}
