//! XML documents as oned keeps them: elements, plain text, CDATA. What is read is written back byte for byte.

use std::fmt::Write as _;

use quick_xml::Reader;
use quick_xml::events::Event;

/// Deeper than any document of oned; a bound for hostile input.
const DEPTH_MAX: usize = 32;

/// An element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) content: Content,
}

/// What is in an element. oned writes an empty one in both ways, `<X/>` and `<X></X>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// `<X/>`
    Nothing,
    /// `<X>text</X>`
    Plain(String),
    /// `<X><![CDATA[text]]></X>`
    Data(String),
    /// `<X><Y>..</Y></X>`; without any child `<X></X>`.
    Children(Vec<Node>),
}

impl Node {
    /// An element with plain text: how oned writes numbers and names.
    pub(crate) fn plain(name: &str, text: impl ToString) -> Self {
        let text = text.to_string();
        let content = if text.is_empty() { Content::Children(Vec::new()) } else { Content::Plain(text) };
        Self { name: name.to_owned(), content }
    }

    /// An element with CDATA: how oned writes values of a user.
    pub(crate) fn data(name: &str, text: impl Into<String>) -> Self {
        Self { name: name.to_owned(), content: Content::Data(text.into()) }
    }

    /// An element with elements in it.
    pub(crate) fn of(name: &str, children: Vec<Self>) -> Self {
        Self { name: name.to_owned(), content: Content::Children(children) }
    }

    /// `<X/>`
    pub(crate) fn nothing(name: &str) -> Self {
        Self { name: name.to_owned(), content: Content::Nothing }
    }

    /// Its text; empty where it has none.
    pub(crate) fn text(&self) -> &str {
        match &self.content {
            Content::Plain(text) | Content::Data(text) => text,
            Content::Nothing | Content::Children(_) => "",
        }
    }

    /// Its elements.
    pub(crate) fn children(&self) -> &[Self] {
        match &self.content {
            Content::Children(children) => children,
            _ => &[],
        }
    }

    /// Its elements, to change them.
    pub(crate) fn children_mut(&mut self) -> &mut Vec<Self> {
        if !matches!(self.content, Content::Children(_)) {
            self.content = Content::Children(Vec::new());
        }
        match &mut self.content {
            Content::Children(children) => children,
            _ => unreachable!("made one above"),
        }
    }

    /// The first element of this name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children().iter().find(|child| child.name == name)
    }

    /// The first element of this name, to change it.
    pub(crate) fn child_mut(&mut self, name: &str) -> Option<&mut Self> {
        match &mut self.content {
            Content::Children(children) => children.iter_mut().find(|child| child.name == name),
            _ => None,
        }
    }

    /// All elements of this name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children().iter().filter(move |child| child.name == name)
    }

    /// The text at a path of names; empty where there is none.
    pub(crate) fn at(&self, path: &[&str]) -> &str {
        path.iter().try_fold(self, |node, name| node.child(name)).map_or("", Self::text)
    }

    /// The number at a path of names.
    pub(crate) fn number(&self, path: &[&str]) -> Option<i64> {
        self.at(path).trim().parse().ok()
    }

    /// Replaces the text of an element that is there, keeping how it is written; adds a plain one otherwise.
    pub(crate) fn set(&mut self, name: &str, text: impl ToString) {
        let text = text.to_string();
        match self.child_mut(name) {
            Some(child) => {
                child.content = match &child.content {
                    Content::Data(_) => Content::Data(text),
                    _ => Self::plain("", text).content,
                }
            }
            None => self.children_mut().push(Self::plain(name, text)),
        }
    }

    /// Replaces or adds CDATA, keeping the names in order: oned's templates are sorted.
    pub(crate) fn set_data(&mut self, name: &str, text: impl Into<String>) {
        let new = Self::data(name, text);
        if let Some(child) = self.child_mut(name) {
            *child = new;
        } else {
            let at = self.children().iter().take_while(|child| child.name.as_str() <= name).count();
            self.children_mut().insert(at, new);
        }
    }

    /// Removes all elements of this name.
    pub(crate) fn remove(&mut self, name: &str) {
        if let Content::Children(children) = &mut self.content {
            children.retain(|child| child.name != name);
        }
    }

    /// Reads a document.
    ///
    /// # Errors
    /// In words: what no parser accepts, and what no document of oned has.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader::from_str(text);
        let mut open: Vec<(String, Vec<Self>, Option<Content>)> = Vec::new();
        let mut root = None;
        loop {
            match reader.read_event().map_err(|error| error.to_string())? {
                Event::Start(start) => {
                    if open.len() == DEPTH_MAX || root.is_some() {
                        return Err("too deep, or a second root".to_owned());
                    }
                    open.push((name_of(start.name().as_ref()), Vec::new(), None));
                }
                Event::Empty(start) => {
                    let node = Self::nothing(&name_of(start.name().as_ref()));
                    close(node, &mut open, &mut root)?;
                }
                Event::End(_) => {
                    let (name, children, text) = open.pop().ok_or("an end without a start")?;
                    let content = match text {
                        Some(text) if children.is_empty() => text,
                        _ => Content::Children(children),
                    };
                    close(Self { name, content }, &mut open, &mut root)?;
                }
                Event::Text(text) => add_text(&mut open, &text.xml10_content(), false)?,
                Event::CData(text) => add_text(&mut open, &text.xml10_content(), true)?,
                Event::GeneralRef(reference) => {
                    let found = match reference.resolve_char_ref().map_err(|error| error.to_string())? {
                        Some(character) => character,
                        None => entity(&reference.xml10_content()).ok_or("an unknown entity")?,
                    };
                    add_text(&mut open, found.encode_utf8(&mut [0; 4]), false)?;
                }
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::DocType(_) => return Err("a document type".to_owned()),
            }
        }
        if !open.is_empty() {
            return Err("no element found".to_owned());
        }
        root.ok_or_else(|| "no element found".to_owned())
    }

    /// Writes it as oned does: one line, no declaration.
    pub(crate) fn write(&self, out: &mut String) {
        let name = &self.name;
        match &self.content {
            Content::Nothing => _ = write!(out, "<{name}/>"),
            Content::Plain(text) => _ = write!(out, "<{name}>{}</{name}>", escape(text)),
            Content::Data(text) => _ = write!(out, "<{name}><![CDATA[{text}]]></{name}>"),
            Content::Children(children) => {
                _ = write!(out, "<{name}>");
                children.iter().for_each(|child| child.write(out));
                _ = write!(out, "</{name}>");
            }
        }
    }

    /// [`Self::write`] into a text of its own.
    pub(crate) fn to_xml(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }
}

/// The four characters that XML text must not carry, as oned and xmlrpc-c write them.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#x0d;"),
            _ => out.push(character),
        }
    }
    out
}

fn name_of(name: &str) -> String {
    name.to_owned()
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

fn close(
    node: Node,
    open: &mut [(String, Vec<Node>, Option<Content>)],
    root: &mut Option<Node>,
) -> Result<(), String> {
    match open.last_mut() {
        Some((_, children, _)) => children.push(node),
        None if root.is_none() => *root = Some(node),
        None => return Err("a second root".to_owned()),
    }
    Ok(())
}

fn add_text(
    open: &mut [(String, Vec<Node>, Option<Content>)],
    text: &str,
    is_data: bool,
) -> Result<(), String> {
    let Some((_, _, content)) = open.last_mut() else {
        return if text.trim().is_empty() { Ok(()) } else { Err("text outside the root".to_owned()) };
    };
    match content {
        Some(Content::Plain(before) | Content::Data(before)) => before.push_str(text),
        _ if is_data => *content = Some(Content::Data(text.to_owned())),
        _ => *content = Some(Content::Plain(text.to_owned())),
    }
    Ok(())
}
