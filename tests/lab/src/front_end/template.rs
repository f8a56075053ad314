//! Templates as oned reads them: its text grammar, or XML where the first character is `<`.

use super::tree::{Content, Node};

/// Attributes in the order given. oned shows them sorted; see [`Template::nodes`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) attributes: Vec<(String, Value)>,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Single(String),
    Vector(Vec<(String, String)>),
}

impl Template {
    /// Reads a template. `trimming`: 7.4.0 cuts white space around every value.
    ///
    /// # Errors
    /// oned's message.
    pub(crate) fn parse(text: &str, trimming: bool) -> Result<Self, String> {
        let mut template =
            if text.starts_with('<') { from_xml(text)? } else { Text { text, at: 0 }.parse()? };
        for (key, value) in &mut template.attributes {
            *key = stored_key(key);
            if trimming {
                match value {
                    Value::Single(text) => *text = text.trim().to_owned(),
                    Value::Vector(pairs) => {
                        pairs.iter_mut().for_each(|(_, text)| *text = text.trim().to_owned());
                    }
                }
            }
        }
        let is_bad = |text: &str| text.contains("]]>");
        let broken = template.attributes.iter().any(|(_, value)| match value {
            Value::Single(text) => is_bad(text),
            Value::Vector(pairs) => pairs
                .iter()
                .any(|(key, text)| is_bad(text) || key.starts_with(|first: char| first.is_ascii_digit())),
        });
        if broken { Err("Error transforming the Template to XML.".to_owned()) } else { Ok(template) }
    }

    /// The template in a document.
    pub(crate) fn of_node(node: &Node) -> Self {
        let attributes = node.children().iter().map(|child| (child.name.clone(), value_of(child))).collect();
        Self { attributes }
    }

    /// The first single value of this key.
    pub(crate) fn single(&self, key: &str) -> Option<&str> {
        self.attributes.iter().find_map(|(each, value)| match value {
            Value::Single(text) if each == key => Some(text.as_str()),
            _ => None,
        })
    }

    /// Takes the first single value of this key out, and drops the others.
    pub(crate) fn take(&mut self, key: &str) -> Option<String> {
        let taken = self.single(key).map(ToOwned::to_owned);
        self.attributes.retain(|(each, value)| each != key || matches!(value, Value::Vector(_)));
        taken
    }

    /// Takes all vectors of this key out.
    pub(crate) fn take_vectors(&mut self, key: &str) -> Vec<Vec<(String, String)>> {
        let (taken, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.attributes)
            .into_iter()
            .partition(|(each, value)| each == key && matches!(value, Value::Vector(_)));
        self.attributes = kept;
        taken
            .into_iter()
            .filter_map(|(_, value)| match value {
                Value::Vector(pairs) => Some(pairs),
                Value::Single(_) => None,
            })
            .collect()
    }

    /// Sets a single value.
    pub(crate) fn set(&mut self, key: &str, text: impl Into<String>) {
        self.attributes.retain(|(each, _)| each != key);
        self.attributes.push((key.to_owned(), Value::Single(text.into())));
    }

    /// Each key of `other` replaces ours: `one.template.instantiate`, and updates of kind 1.
    pub(crate) fn merge(&mut self, other: Self) {
        self.attributes.retain(|(key, _)| !other.attributes.iter().any(|(theirs, _)| theirs == key));
        self.attributes.extend(other.attributes);
    }

    /// As oned writes them: by key, and in a vector by key; what has the same key in the order given.
    pub(crate) fn nodes(&self) -> Vec<Node> {
        let mut nodes: Vec<_> = self
            .attributes
            .iter()
            .map(|(key, value)| match value {
                Value::Single(text) => Node::data(key, text.as_str()),
                Value::Vector(pairs) => vector_node(key, pairs),
            })
            .collect();
        nodes.sort_by(|one, other| one.name.cmp(&other.name));
        nodes
    }

    /// Names that a restricted attribute is compared with: `KEY` and `VECTOR/KEY`.
    pub(crate) fn names(&self) -> Vec<(String, String)> {
        let mut names = Vec::new();
        for (key, value) in &self.attributes {
            names.push((key.clone(), key.clone()));
            if let Value::Vector(pairs) = value {
                names.extend(pairs.iter().map(|(inner, _)| (format!("{key}/{inner}"), inner.clone())));
            }
        }
        names
    }
}

/// A vector as oned writes it.
pub(crate) fn vector_node(key: &str, pairs: &[(String, String)]) -> Node {
    let mut children: Vec<_> = pairs.iter().map(|(key, text)| Node::data(key, text.as_str())).collect();
    children.sort_by(|one, other| one.name.cmp(&other.name));
    Node::of(key, children)
}

fn value_of(node: &Node) -> Value {
    match &node.content {
        Content::Children(children) if !children.is_empty() => Value::Vector(
            children.iter().map(|child| (child.name.clone(), child.text().to_owned())).collect(),
        ),
        _ => Value::Single(node.text().to_owned()),
    }
}

fn stored_key(key: &str) -> String {
    let key = key.to_ascii_uppercase();
    let renamed = key.starts_with(|first: char| first.is_ascii_digit()) || key.starts_with("XML");
    if renamed { format!("ONE_{key}") } else { key }
}

fn from_xml(text: &str) -> Result<Template, String> {
    let root = Node::parse(text).map_err(|_| "Parse error: XML Template malformed.".to_owned())?;
    let is_kept = |node: &&Node| match &node.content {
        Content::Data(_) => true,
        Content::Plain(text) => !text.is_empty(),
        Content::Nothing => false,
        Content::Children(children) => !children.is_empty(),
    };
    let mut attributes = Vec::new();
    for child in root.children().iter().filter(is_kept) {
        let value = match &child.content {
            Content::Children(children) => {
                let leaf = |node: &&Node| is_kept(node) && node.children().is_empty();
                let mut pairs: Vec<(String, String)> = Vec::new();
                for pair in children.iter().filter(leaf) {
                    if !pairs.iter().any(|(key, _)| *key == pair.name) {
                        pairs.push((pair.name.clone(), pair.text().to_owned()));
                    }
                }
                Value::Vector(pairs)
            }
            _ => Value::Single(child.text().to_owned()),
        };
        attributes.push((child.name.clone(), value));
    }
    Ok(Template { attributes })
}

/// The text grammar.
struct Text<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Text<'a> {
    fn parse(mut self) -> Result<Template, String> {
        let mut attributes = Vec::new();
        while let Some(key) = self.key()? {
            self.blanks();
            if !self.eat('=') {
                return Err(self.error("VARIABLE", "EQUAL or EQUAL_EMPTY"));
            }
            self.blanks();
            let value = match self.peek() {
                None => return Err(self.error("$end", "OBRACKET or STRING")),
                Some('\n') => Value::Single(String::new()),
                Some('[') => {
                    self.at += 1;
                    Value::Vector(self.vector()?)
                }
                Some(_) => Value::Single(self.value()?),
            };
            if !self.text[self.at..].starts_with([' ', '\t', '\n', '\r', '#']) && self.peek().is_some() {
                return Err(self.error("VARIABLE", "$end"));
            }
            attributes.push((key, value));
        }
        Ok(Template { attributes })
    }

    /// The next key, past everything that is none: oned skips what it does not know.
    fn key(&mut self) -> Result<Option<String>, String> {
        loop {
            match self.peek() {
                None => return Ok(None),
                Some('#') => match self.text[self.at..].find('\n') {
                    Some(end) => self.at += end + 1,
                    None => return Err(self.error("COMMENT", "$end or VARIABLE")),
                },
                Some(first) if is_key(first) => break,
                Some(']' | ',' | '=') => return Err(self.error("CBRACKET", "$end or VARIABLE")),
                Some(other) => self.at += other.len_utf8(),
            }
        }
        let rest = &self.text[self.at..];
        let end = rest.find(|character| !is_key(character)).unwrap_or(rest.len());
        self.at += end;
        Ok(Some(rest[..end].to_owned()))
    }

    fn vector(&mut self) -> Result<Vec<(String, String)>, String> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        loop {
            self.white();
            while matches!(self.peek(), Some(other) if !is_key(other) && !"],=".contains(other)) {
                self.at += self.peek().map_or(0, char::len_utf8);
            }
            match self.peek() {
                None => return Err(self.error("$end", "CBRACKET or VARIABLE")),
                Some(']') if pairs.is_empty() => break,
                _ => {}
            }
            let rest = &self.text[self.at..];
            let end = rest.find(|character| !is_key(character)).unwrap_or(rest.len());
            if end == 0 {
                return Err(self.error("CBRACKET", "VARIABLE"));
            }
            self.at += end;
            self.white();
            if !self.eat('=') {
                return Err(self.error("CBRACKET", "EQUAL or EQUAL_EMPTY"));
            }
            self.white();
            let value = self.value()?;
            let key = rest[..end].to_ascii_uppercase();
            if !pairs.iter().any(|(each, _)| *each == key) {
                pairs.push((key, value));
            }
            self.white();
            match self.peek() {
                Some(',') => self.at += 1,
                Some(']') => break,
                None => return Err(self.error("$end", "COMMA or CBRACKET")),
                Some(_) => return Err(self.error("VARIABLE", "COMMA or CBRACKET")),
            }
        }
        self.at += 1;
        Ok(pairs)
    }

    /// A value in quotes, as far as the grammar's greedy pattern reaches; else a bare word.
    fn value(&mut self) -> Result<String, String> {
        let rest = &self.text[self.at..];
        if rest.starts_with('"') {
            let mut end = None;
            for (at, _) in rest.match_indices('"').skip(1) {
                end = Some(at);
                if !rest[..at].ends_with('\\') {
                    break;
                }
            }
            if let Some(end) = end {
                self.at += end + 1;
                return Ok(rest[1..end].replace("\\\"", "\""));
            }
        }
        let is_end = |character| matches!(character, '=' | '#' | ' ' | '\t' | '\n' | ',' | '[' | ']');
        let end = rest.find(is_end).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.error("COMMA", "STRING"));
        }
        self.at += end;
        Ok(rest[..end].to_owned())
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    fn blanks(&mut self) {
        self.at += self.text[self.at..].len() - self.text[self.at..].trim_start_matches([' ', '\t']).len();
    }

    fn white(&mut self) {
        let rest: &'a str = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    /// The line and the columns are as little to be relied on as oned's.
    fn error(&self, unexpected: &str, expecting: &str) -> String {
        let end = self.text.len();
        format!(
            "Parse error: syntax error, unexpected {unexpected}, expecting {expecting} at line 1, columns {end}:{}",
            end + 1
        )
    }
}

fn is_key(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}
