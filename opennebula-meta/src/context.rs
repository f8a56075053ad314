//! The second pass that OpenNebula runs over `CONTEXT` when a VM is made (`src/parsers/vm_var_parser.l`, the same in
//! 6.10 and 7.4): variables are replaced, and what only looks like one makes the whole call fail.
//!
//! A running VM's `CONTEXT` holds the *result*. A `$` in it that is not escaped came out of a replacement, and cannot
//! be registered again as it is.

/// What separates the pairs of `CONTEXT` while they are parsed. A value that contains it could bring in another
/// attribute.
pub const SEPARATOR: &str = "@^_^@";

/// What OpenNebula would make of a `$` that is not escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dollar<'a> {
    /// A variable of this name: replaced, by nothing where it is not known.
    Variable(&'a str),
    /// No variable: the call fails (`5$`, `${X}`, `$(date)`, `$$`), and its error text shows the whole context.
    Fails,
}

/// Every `$` of a value that is not escaped by a backslash, in order.
///
/// ```
/// use opennebula_meta::context::{Dollar, dollars};
///
/// assert_eq!(dollars(r"echo \$HOME").count(), 0);
/// assert_eq!(dollars("echo $HOME!").collect::<Vec<_>>(), [Dollar::Variable("HOME")]);
/// assert_eq!(dollars("5$ each").collect::<Vec<_>>(), [Dollar::Fails]);
/// ```
pub fn dollars(value: &str) -> impl Iterator<Item = Dollar<'_>> {
    value.char_indices().filter(|(_, one)| *one == '$').filter_map(move |(at, _)| {
        let before = value.get(..at)?;
        let backslashes = before.bytes().rev().take_while(|byte| *byte == b'\\').count();
        if backslashes % 2 == 1 {
            return None;
        }
        let after = value.get(at + 1..)?;
        let length = after.bytes().position(|byte| !(byte.is_ascii_alphanumeric() || byte == b'_'));
        let name = after.get(..length.unwrap_or(after.len()))?;
        // A variable right before a line end fails too (observed).
        let fails = name.is_empty() || after.get(name.len()..)?.starts_with('\n');
        Some(if fails { Dollar::Fails } else { Dollar::Variable(name) })
    })
}

/// Whether a name is `ETHn_...` or `PCIn_...`, attributes that OpenNebula writes for its cards. No `n` has ten digits.
const fn is_numbered(key: &str, prefix: &str) -> bool {
    let (key, prefix) = (key.as_bytes(), prefix.as_bytes());
    let mut at = 0;
    while at < prefix.len() {
        if at == key.len() || key[at] != prefix[at] {
            return false;
        }
        at += 1;
    }
    while at < key.len() && key[at].is_ascii_digit() {
        at += 1;
    }
    let digits = at - prefix.len();
    0 < digits && digits < 10 && at < key.len() && key[at] == b'_'
}

/// Whether OpenNebula writes this attribute for a network card (`ETH0_IP`, `ETH1_ALIAS0_MAC`).
#[must_use]
pub const fn is_of_a_card(key: &str) -> bool {
    is_numbered(key, "ETH")
}

/// Whether OpenNebula writes this attribute for a PCI device (`PCI0_ADDRESS`).
#[must_use]
pub fn is_of_a_device(key: &str) -> bool {
    is_numbered(key, "PCI")
}

/// Whether a value looks like the cipher text that OpenNebula shows for an encrypted attribute: base64 of whole
/// 16-byte blocks. A password of the user may look so too; then it is better dropped, and said, than encrypted twice.
#[must_use]
pub fn looks_encrypted(value: &str) -> bool {
    let body = value.trim_end_matches('=');
    let padding = value.len() - body.len();
    let alphabet = body.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/');
    let bytes = value.len() / 4 * 3 - padding.min(2);
    alphabet && padding <= 2 && !value.is_empty() && value.len().is_multiple_of(4) && bytes.is_multiple_of(16)
}
