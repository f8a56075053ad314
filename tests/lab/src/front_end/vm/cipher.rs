//! `CONTEXT/PASSWORD` is shown as cipher text, and in the clear only to an administrator who asks for it.
//!
//! oned uses AES; here the text is only turned around, in the same alphabet and with a length that passes for it.

use super::super::refusal::Refusal;
use super::super::tree::{Content, Node};
use super::super::world::World;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// AES encrypts blocks of this length.
const BLOCK: usize = 16;
const MASK: u8 = 0x5a;

/// The cipher text of a password.
pub(super) fn encrypt(plain: &str) -> String {
    let mut bytes: Vec<u8> = plain.bytes().map(|byte| byte ^ MASK).collect();
    let fill = BLOCK - bytes.len() % BLOCK;
    bytes.extend(std::iter::repeat_n(u8::try_from(fill).unwrap_or(0), fill));
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let letter = ALPHABET[usize::try_from(word >> (18 - 6 * at) & 63).unwrap_or(0)];
            out.push(if at <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

/// The password, if this is cipher text of ours.
fn decrypt(cipher: &str) -> Option<String> {
    let mut bytes = Vec::new();
    for chunk in cipher.as_bytes().chunks(4) {
        let letters: Vec<u32> = chunk
            .iter()
            .filter(|letter| **letter != b'=')
            .map(|letter| {
                ALPHABET.iter().position(|each| each == letter).and_then(|at| u32::try_from(at).ok())
            })
            .collect::<Option<_>>()?;
        let word = letters.iter().fold(0_u32, |word, letter| word << 6 | letter) << (6 * (4 - letters.len()));
        let three = word.to_be_bytes();
        bytes.extend_from_slice(three.get(1..letters.len())?);
    }
    let fill = usize::from(*bytes.last()?);
    bytes.truncate(bytes.len().checked_sub(fill)?);
    String::from_utf8(bytes.into_iter().map(|byte| byte ^ MASK).collect()).ok()
}

/// A VM with its password in the clear.
///
/// # Errors
/// `NO_EXISTS`
pub(crate) fn decrypted(world: &World, id: i32) -> Result<Node, Refusal> {
    let mut node = world.vms.get(id)?.clone();
    let password =
        node.child_mut("TEMPLATE").and_then(|node| node.child_mut("CONTEXT")?.child_mut("PASSWORD"));
    if let Some(password) = password
        && let Some(plain) = decrypt(password.text())
    {
        password.content = Content::Data(plain);
    }
    Ok(node)
}

#[cfg(test)]
mod tests {
    use super::{decrypt, encrypt};

    #[test]
    fn what_is_encrypted_comes_back() {
        for plain in ["", "a", "s3cr\"et, ]x", "exactly sixteen!", "a password of more than one block"] {
            assert_eq!(decrypt(&encrypt(plain)).as_deref(), Some(plain));
            assert!(plain.is_empty() || !encrypt(plain).contains(plain));
        }
    }
}
