//! Who owns an object and who may do what: fields that all objects share, and that re-registering sets by calls
//! (`one.X.chown`, `one.X.chmod`) after the object is there. A template cannot carry them.

use std::fmt::{Display, Formatter, Result as Fmt};

use serde::{Deserialize, Serialize};

use crate::{
    document::{Element, Error, Why},
    known::Known,
};

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
        let (user, group) = Self::names(root);
        Self { user: user.to_owned(), group: group.to_owned() }
    }

    /// As [`of`](Self::of): user and group.
    pub(crate) fn names(root: Element<'_>) -> (&str, &str) {
        let name = |field| root.get_value(field).unwrap_or_default();
        (name(Known::UNAME), name(Known::GNAME))
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
    /// [`Why::Number`] where a flag is no number.
    pub fn of(root: Element<'_>) -> Result<Option<Self>, Error> {
        let Some(flags) = root.get(Known::PERMISSIONS) else { return Ok(None) };
        let mut digits = Self { owner: 0, group: 0, other: 0 };
        for flag in flags.children() {
            let (digit, weight) = match flag.known() {
                Known::OWNER_U => (&mut digits.owner, 4),
                Known::OWNER_M => (&mut digits.owner, 2),
                Known::OWNER_A => (&mut digits.owner, 1),
                Known::GROUP_U => (&mut digits.group, 4),
                Known::GROUP_M => (&mut digits.group, 2),
                Known::GROUP_A => (&mut digits.group, 1),
                Known::OTHER_U => (&mut digits.other, 4),
                Known::OTHER_M => (&mut digits.other, 2),
                Known::OTHER_A => (&mut digits.other, 1),
                _ => continue,
            };
            match flag.text() {
                "0" | "" => {}
                "1" => *digit |= weight,
                other => {
                    let text = other.chars().take(40).collect();
                    return Err(Error::new(flag.place(), Why::Number { field: "PERMISSIONS", text }));
                }
            }
        }
        Ok(Some(digits))
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
