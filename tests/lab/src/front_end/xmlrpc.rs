//! XML-RPC as xmlrpc-c 1.33 reads and writes it, on the server's side.

use std::fmt::Write as _;

use super::tree::{Node, escape};

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) arguments: Vec<Value>,
}

/// An argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Int(i64),
    Bool(bool),
    Text(String),
    /// Something that no method of oned takes.
    Other,
}

/// An XML-RPC fault: the call did not reach a method, or not with arguments that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: i32,
    pub(crate) text: String,
}

/// oned's own answer, for `[success, value, code, object, replication index]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A document or a text.
    Text(String),
    /// The number of the object.
    Id(i32),
    /// A refusal.
    Failure { text: String, code: i32, object: i32 },
}

impl Fault {
    /// Not an XML-RPC call.
    pub(crate) fn no_call(why: &str) -> Self {
        Self { code: -503, text: format!("Call XML not a proper XML-RPC call.  {why}") }
    }

    /// An argument of another type than the method takes.
    pub(crate) fn wrong_type(what: &str) -> Self {
        Self { code: -501, text: format!("Parameter that is supposed to be {what} is not") }
    }

    /// Fewer arguments than the method takes.
    pub(crate) fn too_few() -> Self {
        Self { code: -501, text: "Not enough parameters".to_owned() }
    }

    /// No such method.
    pub(crate) fn no_method(method: &str) -> Self {
        Self { code: -506, text: format!("Method '{method}' not defined") }
    }
}

impl Call {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// The fault that xmlrpc-c answers.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Fault> {
        let no_xml = |why: &str| Fault::no_call(&format!("Call is not valid XML.  {why}"));
        let text = str::from_utf8(body).map_err(|_| no_xml("not well-formed (invalid token)"))?;
        if text.contains(|character: char| character < ' ' && !matches!(character, '\t' | '\n' | '\r')) {
            return Err(no_xml("not well-formed (invalid token)"));
        }
        // xmlrpc-c holds text in 16 bit.
        if let Some(wide) = text.chars().find(|&character| character > '\u{ffff}') {
            return Err(no_xml(&format!("a character outside the Basic Multilingual Plane: {wide:?}")));
        }
        let root = Node::parse(text).map_err(|_| no_xml("syntax error"))?;
        if root.name != "methodCall" {
            return Err(Fault::no_call(&format!("XML element is of type '{}', not <methodCall>", root.name)));
        }
        let method = root.at(&["methodName"]).trim().to_owned();
        let params = root.child("params").map_or(&[][..], Node::children);
        let arguments = params.iter().map(|param| param.child("value").map_or(Value::Other, value)).collect();
        Ok(Self { method, arguments })
    }

    /// An integer.
    pub(crate) fn int(&self, at: usize) -> Result<i32, Fault> {
        match self.arguments.get(at) {
            Some(Value::Int(number)) => i32::try_from(*number).map_err(|_| Fault::wrong_type("integer")),
            Some(_) => Err(Fault::wrong_type("integer")),
            None => Err(Fault::too_few()),
        }
    }

    /// A text.
    pub(crate) fn text(&self, at: usize) -> Result<&str, Fault> {
        match self.arguments.get(at) {
            Some(Value::Text(text)) => Ok(text),
            Some(_) => Err(Fault::wrong_type("a string")),
            None => Err(Fault::too_few()),
        }
    }

    /// A flag that may be left out.
    pub(crate) fn flag(&self, at: usize, default: bool) -> Result<bool, Fault> {
        match self.arguments.get(at) {
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(Fault::wrong_type("boolean")),
            None => Ok(default),
        }
    }

    /// A text that may be left out.
    pub(crate) fn text_or_empty(&self, at: usize) -> Result<&str, Fault> {
        if at < self.arguments.len() { self.text(at) } else { Ok("") }
    }

    /// An integer that may be left out.
    pub(crate) fn int_or(&self, at: usize, default: i32) -> Result<i32, Fault> {
        if at < self.arguments.len() { self.int(at) } else { Ok(default) }
    }
}

fn value(node: &Node) -> Value {
    let Some(typed) = node.children().first() else {
        return Value::Text(node.text().to_owned());
    };
    let text = typed.text();
    match typed.name.as_str() {
        "int" | "i4" | "i8" => text.trim().parse().map_or(Value::Other, Value::Int),
        "boolean" => Value::Bool(text.trim() == "1"),
        "string" => Value::Text(text.to_owned()),
        _ => Value::Other,
    }
}

/// The body of a response.
pub(crate) fn response(answer: &Result<Answer, Fault>) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<methodResponse>\r\n");
    match answer {
        Ok(answer) => {
            out.push_str("<params>\r\n<param><value><array><data>\r\n");
            for value in elements(answer) {
                _ = write!(out, "<value>{value}</value>\r\n");
            }
            out.push_str("</data></array></value></param>\r\n</params>\r\n");
        }
        Err(Fault { code, text }) => {
            _ = write!(
                out,
                "<fault>\r\n<value><struct>\r\n<member><name>faultCode</name>\r\n\
                 <value><i4>{code}</i4></value></member>\r\n<member><name>faultString</name>\r\n\
                 <value><string>{}</string></value></member>\r\n</struct></value>\r\n</fault>\r\n",
                escape(text)
            );
        }
    }
    out.push_str("</methodResponse>\r\n");
    out
}

fn elements(answer: &Answer) -> Vec<String> {
    let of = |success: u8, value: String, code: i32| {
        vec![format!("<boolean>{success}</boolean>"), value, format!("<i4>{code}</i4>")]
    };
    match answer {
        Answer::Text(text) => of(1, format!("<string>{}</string>", escape(text)), 0),
        Answer::Id(id) => of(1, format!("<i4>{id}</i4>"), 0),
        Answer::Failure { text, code, object } => {
            let mut elements = of(0, format!("<string>{}</string>", escape(text)), *code);
            elements.push(format!("<i4>{object}</i4>"));
            elements.push("<i8>-1</i8>".to_owned());
            elements
        }
    }
}
