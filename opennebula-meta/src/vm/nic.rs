//! `TEMPLATE/NIC` and `TEMPLATE/NIC_ALIAS`.

use crate::{
    document::{Element, Error},
    id::NicId,
    known::Known,
};

/// A network card or an alias on one.
#[derive(Clone, Copy, Debug)]
pub struct Nic<'a> {
    element: Element<'a>,
    kind: NicKind,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NicKind {
    /// `NIC`
    Nic,
    /// `NIC_ALIAS`: further addresses on a card, its `PARENT`.
    Alias,
}

impl<'a> Nic<'a> {
    pub(super) fn new(element: Element<'a>, kind: NicKind) -> Self {
        Self { element, kind }
    }

    /// The card's element.
    #[must_use]
    pub fn element(self) -> Element<'a> {
        self.element
    }

    /// Card or alias.
    #[must_use]
    pub fn kind(self) -> NicKind {
        self.kind
    }

    /// `NIC_ID`.
    ///
    /// # Errors
    /// [`Why::Number`](crate::document::Why::Number).
    pub fn id(self) -> Result<Option<NicId>, Error> {
        self.element.get_number(Known::NIC_ID)
    }

    /// `NETWORK`, the name; `None` for a card on a bare bridge.
    #[must_use]
    pub fn network(self) -> Option<&'a str> {
        self.element.get_filled(Known::NETWORK)
    }

    /// `NAME`.
    #[must_use]
    pub fn name(self) -> Option<&'a str> {
        self.element.get_filled(Known::NAME)
    }

    /// Whether OpenNebula made the name up (`NIC0`, `NIC0_ALIAS2`). A user cannot: a `NAME` that starts with `NIC`
    /// becomes `_NIC...` (observed on 6.10.3).
    #[must_use]
    pub fn has_automatic_name(self) -> bool {
        self.name().is_some_and(|name| name.starts_with("NIC"))
    }
}
