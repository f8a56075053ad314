//! Answers. Hostile ones cost bounded memory: the caller bounds the text, nesting is bounded here, and nothing is expanded.

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::Event;

use super::Value;

/// An answer of OpenNebula has two levels.
const DEPTH_MAX: usize = 8;

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Response {
    /// The call reached its method: the first parameter.
    Value(Value),
    /// It did not, or not with arguments that it takes.
    Fault {
        /// `faultCode`
        code: i64,
        /// `faultString`
        text: String,
    },
}

/// Reads an answer.
///
/// # Errors
/// In words, nothing of the answer in them. A truncated answer is one.
pub(crate) fn response(text: &str) -> Result<Response, String> {
    let mut input = Input { reader: Reader::from_str(text) };
    input.open("methodResponse")?;
    let kind = input.any_open()?;
    let response = match kind.as_str() {
        "params" => {
            input.open("param")?;
            input.open("value")?;
            let value = input.value(0)?;
            input.close("param")?;
            Response::Value(value)
        }
        "fault" => {
            input.open("value")?;
            fault(input.value(0)?)?
        }
        _ => return Err("neither <params> nor <fault>".to_owned()),
    };
    input.close(&kind)?;
    input.close("methodResponse")?;
    Ok(response)
}

fn fault(value: Value) -> Result<Response, String> {
    let (mut code, mut text) = (None, String::new());
    if let Value::Struct(members) = value {
        for (name, member) in members {
            match (name.as_str(), member) {
                ("faultCode", Value::Int(number)) => code = Some(number),
                ("faultString", Value::Text(words)) => text = words,
                _ => {}
            }
        }
    }
    Ok(Response::Fault { code: code.ok_or("a fault without a code")?, text })
}

struct Input<'a> {
    reader: Reader<&'a [u8]>,
}

/// A tag, or text before it.
enum Token {
    Open(String),
    /// `<x/>`
    Empty(String),
    Close(String),
}

impl Input<'_> {
    /// The next tag; blanks before it are nothing, other text is an error.
    fn token(&mut self) -> Result<Token, String> {
        loop {
            let name = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
            match self.reader.read_event() {
                Err(error) => return Err(format!("no XML: {error}")),
                Ok(Event::Start(tag)) => return Ok(Token::Open(name(tag.name().as_ref().as_bytes()))),
                Ok(Event::Empty(tag)) => return Ok(Token::Empty(name(tag.name().as_ref().as_bytes()))),
                Ok(Event::End(tag)) => return Ok(Token::Close(name(tag.name().as_ref().as_bytes()))),
                Ok(Event::Text(text)) if text.trim().is_empty() => {}
                Ok(Event::Decl(_) | Event::Comment(_) | Event::PI(_)) => {}
                Ok(Event::Eof) => return Err("it ends too early".to_owned()),
                Ok(Event::Text(_) | Event::CData(_) | Event::GeneralRef(_)) => {
                    return Err("text where a tag belongs".to_owned());
                }
                Ok(Event::DocType(_)) => return Err("a document type".to_owned()),
            }
        }
    }

    fn any_open(&mut self) -> Result<String, String> {
        match self.token()? {
            Token::Open(name) => Ok(name),
            Token::Empty(name) | Token::Close(name) => Err(format!("<{}> is empty", shown(&name))),
        }
    }

    fn open(&mut self, wanted: &str) -> Result<(), String> {
        let found = self.any_open()?;
        if found == wanted { Ok(()) } else { Err(format!("<{}> in the place of <{wanted}>", shown(&found))) }
    }

    fn close(&mut self, wanted: &str) -> Result<(), String> {
        match self.token()? {
            Token::Close(found) if found == wanted => Ok(()),
            _ => Err(format!("no </{wanted}> where it belongs")),
        }
    }

    /// What is in a `<value>`, up to its end.
    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth == DEPTH_MAX {
            return Err("too deep".to_owned());
        }
        // Without a type it is a text; the only way to tell is to look.
        let typed = match self.reader.read_event().map_err(|error| format!("no XML: {error}"))? {
            Event::Start(tag) => tag.name().as_ref().to_owned(),
            Event::Empty(tag) => {
                let value = match tag.name().as_ref() {
                    "string" => Value::Text(String::new()),
                    other => Value::Other(shown(other)),
                };
                self.close("value")?;
                return Ok(value);
            }
            Event::End(_) => return Ok(Value::Text(String::new())),
            Event::Text(text) if text.trim().is_empty() => match self.token()? {
                Token::Open(name) => name,
                Token::Close(_) => return Ok(Value::Text(text.xml10_content().into_owned())),
                Token::Empty(name) => {
                    self.close("value")?;
                    return Ok(Value::Other(shown(&name)));
                }
            },
            Event::Text(text) => {
                let mut words = text.xml10_content().into_owned();
                words.push_str(&self.text("value")?);
                return Ok(Value::Text(words));
            }
            Event::Eof => return Err("it ends too early".to_owned()),
            _ => return Err("a value that cannot be read".to_owned()),
        };
        let value = match typed.as_str() {
            "string" => Value::Text(self.text("string")?),
            "int" | "i4" | "i8" => {
                let text = self.text(&typed)?;
                Value::Int(text.trim().parse().map_err(|_| "an integer that is none")?)
            }
            "boolean" => match self.text("boolean")?.trim() {
                "1" => Value::Bool(true),
                "0" => Value::Bool(false),
                _ => return Err("a boolean that is none".to_owned()),
            },
            "array" => {
                self.open("data")?;
                let mut values = Vec::new();
                loop {
                    match self.token()? {
                        Token::Open(name) if name == "value" => values.push(self.value(depth + 1)?),
                        Token::Empty(name) if name == "value" => values.push(Value::Text(String::new())),
                        Token::Close(name) if name == "data" => break,
                        _ => return Err("an array that cannot be read".to_owned()),
                    }
                }
                self.close("array")?;
                Value::Array(values)
            }
            "struct" => {
                let mut members = Vec::new();
                loop {
                    match self.token()? {
                        Token::Open(name) if name == "member" => {
                            self.open("name")?;
                            let name = self.text("name")?;
                            self.open("value")?;
                            members.push((name, self.value(depth + 1)?));
                            self.close("member")?;
                        }
                        Token::Close(name) if name == "struct" => break,
                        _ => return Err("a struct that cannot be read".to_owned()),
                    }
                }
                Value::Struct(members)
            }
            other => {
                self.text(other)?;
                Value::Other(shown(other))
            }
        };
        self.close("value")?;
        Ok(value)
    }

    /// The text up to an end tag.
    fn text(&mut self, until: &str) -> Result<String, String> {
        let raw = self
            .reader
            .read_text(quick_xml::name::QName(until))
            .map_err(|_| "it ends too early".to_owned())?;
        if raw.contains('<') {
            return Err("a tag in a text".to_owned());
        }
        let text = unescape(&raw).map_err(|_| "an unknown entity".to_owned())?;
        Ok(text.into_owned())
    }
}

/// A name for an error text: an answer may call its tags anything.
fn shown(name: &str) -> String {
    name.chars().filter(|letter| letter.is_ascii_alphanumeric()).take(24).collect()
}
