//! `VMTEMPLATE`: a template kept at a front-end (`onetemplate show`).

use std::io::BufRead;

use crate::{
    document::{Document, Element, Error, Pool, pool},
    id::TemplateId,
    image::expect_root,
    owner::Owner,
    template::{ParseError, Template},
};

/// A stored VM template as OpenNebula printed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTemplate {
    id: TemplateId,
    document: Document,
}

impl StoredTemplate {
    /// Reads `onetemplate show -x` or `-j`.
    ///
    /// # Errors
    /// See [`Why`](crate::document::Why); of the fields only `ID` and `NAME` must be there.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::try_from(Document::parse(text)?)
    }

    /// Reads a whole pool, XML or JSON.
    ///
    /// # Errors
    /// As [`parse`](Self::parse); the first bad template ends it.
    pub fn parse_pool(text: &str) -> Result<Vec<Self>, Error> {
        pool(text)?.into_iter().map(Self::try_from).collect()
    }

    /// Reads a pool in XML as a stream.
    pub fn stream<R: BufRead>(input: R) -> impl Iterator<Item = Result<Self, Error>> {
        Pool::new(input).map(|document| document.and_then(Self::try_from))
    }

    /// Everything that was printed.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The root element.
    #[must_use]
    pub fn root(&self) -> Element<'_> {
        self.document.root()
    }

    /// `ID`.
    #[must_use]
    pub fn id(&self) -> TemplateId {
        self.id
    }

    /// `NAME`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.root().value("NAME").unwrap_or_default()
    }

    /// `UNAME` and `GNAME`.
    #[must_use]
    pub fn owner(&self) -> Owner {
        Owner::of(self.root())
    }

    /// What it holds.
    ///
    /// # Errors
    /// See [`Template::from_element`].
    pub fn template(&self) -> Result<Template, ParseError> {
        self.root().child("TEMPLATE").map_or_else(|| Ok(Template::new()), Template::from_element)
    }
}

impl TryFrom<Document> for StoredTemplate {
    type Error = Error;

    fn try_from(document: Document) -> Result<Self, Error> {
        let root = document.root();
        expect_root(root, "VMTEMPLATE")?;
        root.required("NAME")?;
        Ok(Self { id: root.required_number("ID")?, document })
    }
}
