//! Who owns an object and who may do what: fields that all objects share, and that re-registering sets by calls
//! (`one.X.chown`, `one.X.chmod`) after the object is there. A template cannot carry them.

use std::fmt::{Display, Formatter, Result as Fmt};

use serde::{Deserialize, Serialize};

use crate::document::{Element, Error};

/// The owner of an object, by name. The numbers (`UID`, `GID`) are those of one site and are not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// `UNAME`.
    pub user: String,
    /// `GNAME`.
    pub group: String,
}

impl Owner {
    /// The owner of a document's object.
    #[must_use]
    pub fn of(root: Element<'_>) -> Self {
        let name = |field| root.value(field).unwrap_or_default().to_owned();
        Self { user: name("UNAME"), group: name("GNAME") }
    }
}

/// `PERMISSIONS`, as the three octal digits of `chmod`: use 4, manage 2, admin 1, for owner, group and others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Permissions {
    /// The owner's digit.
    pub owner: u8,
    /// The group's digit.
    pub group: u8,
    /// Everybody else's digit.
    pub other: u8,
}

impl Permissions {
    /// The permissions in a document; `None` where it has none (the VMs of `one.vmpool.info`).
    ///
    /// # Errors
    /// [`Why::Number`](crate::document::Why::Number) where a flag is no number.
    pub fn of(root: Element<'_>) -> Result<Option<Self>, Error> {
        let Some(flags) = root.child("PERMISSIONS") else { return Ok(None) };
        let digit = |fields: [&'static str; 3]| {
            let mut digit = 0;
            for (field, weight) in fields.into_iter().zip([4, 2, 1]) {
                if flags.number::<u8>(field)?.unwrap_or(0) != 0 {
                    digit += weight;
                }
            }
            Ok(digit)
        };
        Ok(Some(Self {
            owner: digit(["OWNER_U", "OWNER_M", "OWNER_A"])?,
            group: digit(["GROUP_U", "GROUP_M", "GROUP_A"])?,
            other: digit(["OTHER_U", "OTHER_M", "OTHER_A"])?,
        }))
    }

    /// The nine flags of `one.X.chmod`, in its order.
    #[must_use]
    pub fn flags(self) -> [bool; 9] {
        let bits = |digit: u8| [digit & 4 != 0, digit & 2 != 0, digit & 1 != 0];
        let [a, b, c] = bits(self.owner);
        let [d, e, f] = bits(self.group);
        let [g, h, i] = bits(self.other);
        [a, b, c, d, e, f, g, h, i]
    }
}

impl Display for Permissions {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        write!(f, "{}{}{}", self.owner, self.group, self.other)
    }
}
