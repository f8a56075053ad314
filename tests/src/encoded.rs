//! Ceph's encoding, for tests that write what no daemon says on one site.

/// A string.
#[must_use]
pub fn string(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes(), text.as_bytes()].concat()
}

/// `cls::rbd::MirrorImage`: an entry of the pool's directory of mirrored images.
#[must_use]
pub fn mirror_image(global_id: &str, state: u8, mode: u8) -> Vec<u8> {
    let body = [string(global_id), vec![state, mode]].concat();
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [&[2, 1][..], &length.to_le_bytes(), &body].concat()
}
