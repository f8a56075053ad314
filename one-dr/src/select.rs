//! Which VMs the operator means: numbers, ranges, names, a label, or all.

use std::collections::BTreeSet;

use opennebula_meta::Vm;
use opennebula_meta::id::VmId;

use crate::catalog;
use crate::frontend::Error as FrontEndError;
use crate::observe::Scope;
use crate::site::{Side, SitePair};

/// What the operator wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// `12`, `1..5`, `erp-db`.
    pub words: Vec<String>,
    /// `dr=gold`: an attribute of the VM; `gold`: one of its labels.
    pub label: Option<String>,
    /// Every protected VM.
    pub all: bool,
}

/// Why nothing was selected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing was asked for.
    #[error("no VM is named: give numbers, ranges (1..5) or names, --label, or --all")]
    Nothing,
    /// A name is of none, or of several.
    #[error("{word:?}: {why}")]
    Word {
        /// The word.
        word: String,
        /// What is wrong.
        why: String,
    },
    /// Neither the front-end nor the catalog can be asked.
    #[error("nobody knows the VMs by name: {0}")]
    Unknown(String),
}

/// The VMs of a selection, by their numbers at home. Numbers alone need no site.
///
/// # Errors
/// [`Error`]
pub fn select(pair: &SitePair, wanted: &Selection) -> Result<Scope, Error> {
    let mut vms = BTreeSet::new();
    let mut names = Vec::new();
    for word in &wanted.words {
        match numbers(word)? {
            Some(range) => vms.extend(range),
            None => names.push(word),
        }
    }
    if !names.is_empty() || wanted.label.is_some() || wanted.all {
        let known = known(pair, wanted.all)?;
        for word in names {
            let mut found = known.iter().filter(|vm| vm.name() == word);
            let why = |why: String| Error::Word { word: word.clone(), why };
            let first = found.next().ok_or_else(|| why("there is no VM of that name".to_owned()))?;
            let others: Vec<String> = found.map(|vm| vm.id().to_string()).collect();
            if !others.is_empty() {
                return Err(why(format!(
                    "several VMs have that name: {}, {}",
                    first.id(),
                    others.join(", ")
                )));
            }
            vms.insert(first.id().0);
        }
        if let Some(label) = &wanted.label {
            let labelled: Vec<u32> = known.iter().filter(|vm| has(vm, label)).map(|vm| vm.id().0).collect();
            if labelled.is_empty() {
                return Err(Error::Word { word: label.clone(), why: "no VM has that label".to_owned() });
            }
            vms.extend(labelled);
        }
        if wanted.all {
            vms.extend(known.iter().map(|vm| vm.id().0));
        }
    }
    let vms: Vec<u32> = vms.into_iter().collect();
    if vms.is_empty() { Err(Error::Nothing) } else { Ok(Scope::of(&vms)) }
}

/// The most VMs that a range names: `0..4000000000` is a slip of the finger.
const RANGE_MAX: u32 = 10_000;

fn numbers(word: &str) -> Result<Option<std::ops::RangeInclusive<u32>>, Error> {
    if let Ok(VmId(one)) = word.parse::<u32>().map(VmId) {
        return Ok(Some(one..=one));
    }
    let Some((from, to)) = word.split_once("..") else { return Ok(None) };
    let (Ok(from), Ok(to)) = (from.parse::<u32>(), to.parse::<u32>()) else { return Ok(None) };
    if from > to || to - from >= RANGE_MAX {
        let why = format!("a range goes upwards, and has at most {RANGE_MAX} numbers");
        return Err(Error::Word { word: word.to_owned(), why });
    }
    Ok(Some(from..=to))
}

/// The VMs by name: of the catalog, which is there when home is not; and of home, unless only protected ones count.
fn known(pair: &SitePair, protected_only: bool) -> Result<Vec<Vm>, Error> {
    let captured = catalog::newest(&pair.storage(Side::Recovery));
    if protected_only {
        return match captured {
            Ok(newest) => Ok(newest.record.into_capture().vms),
            Err(error) => Err(Error::Unknown(error.to_string())),
        };
    }
    // A short question first: a list takes as long as it may, of a front-end that says nothing too.
    let home = pair.frontend(Side::Home);
    let live = home.version().and_then(|_| home.vms());
    match (live, captured) {
        (Ok(live), _) => Ok(live),
        (Err(FrontEndError::Unreachable { .. }), Ok(newest)) => Ok(newest.record.into_capture().vms),
        (Err(error), _) => Err(Error::Unknown(error.to_string())),
    }
}

fn has(vm: &Vm, label: &str) -> bool {
    let Some(template) = vm.user_template() else { return false };
    match label.split_once('=') {
        Some((key, value)) => {
            template.value(&key.to_uppercase()).is_some_and(|is| is.eq_ignore_ascii_case(value))
        }
        None => {
            template.value("LABELS").is_some_and(|labels| labels.split(',').any(|one| one.trim() == label))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn numbers_and_ranges_are_told_from_names() {
        assert_eq!(numbers("12").unwrap(), Some(12..=12));
        assert_eq!(numbers("1..5").unwrap(), Some(1..=5));
        for name in ["erp-db", "1..x", "..", "12a"] {
            assert_eq!(numbers(name).unwrap(), None, "{name}");
        }
        assert!(numbers("5..1").is_err());
        assert!(numbers("0..4000000000").is_err());
    }
}
