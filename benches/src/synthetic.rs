//! Pools of mirrored images that are entries alone: what a status list reads, without the images behind it.
//!
//! Written through librbd's object class as rbd-mirror writes them, so that the sides that read them cannot tell. An image cannot be
//! opened, so `rbd mirror pool status --verbose`, which opens each, is no peer here.

use anyhow::Result;

use ceph_plain as c;

/// As many calls as one write of the object takes well.
const AT_ONCE: usize = 100;

const REPLAYING: u8 = 4;
const STOPPED: u8 = 6;
const ENABLED: u8 = 1;

#[derive(Default)]
struct Encoder(Vec<u8>);

impl Encoder {
    fn u32(mut self, number: u32) -> Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn u8(mut self, number: u8) -> Self {
        self.0.push(number);
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn string(self, text: &str) -> Self {
        self.u32(u32::try_from(text.len()).unwrap_or(0)).bytes(text.as_bytes())
    }

    fn versioned(self, version: u8, oldest: u8, body: &Self) -> Self {
        self.u8(version).u8(oldest).u32(u32::try_from(body.0.len()).unwrap_or(0)).bytes(&body.0)
    }
}

/// What rbd-mirror says of image number `number`; each has other numbers, as in a pool at work.
pub(crate) fn description(number: usize) -> String {
    let (entry, behind) = (1_000 + number * 7, number % 5);
    format!(
        "replaying, {{\"bytes_per_second\":{}.5,\"entries_behind_primary\":{behind},\"entries_per_second\":{}.25,\
         \"non_primary_position\":{{\"entry_tid\":{entry},\"object_number\":3,\"tag_tid\":6}},\
         \"primary_position\":{{\"entry_tid\":{},\"object_number\":3,\"tag_tid\":6}}}}",
        number * 37 % 100_000,
        number % 90,
        entry + behind,
    )
}

/// What a daemon says of an image, and who it is: empty for this site's own, else the mirror uuid of the other site's pool.
#[derive(Clone, Copy)]
pub(crate) struct Word<'a> {
    pub(crate) of: &'a str,
    pub(crate) primary: bool,
}

/// This site's daemon follows.
pub(crate) const FOLLOWS: Word<'static> = Word { of: "", primary: false };

impl Word<'_> {
    /// A status as the daemon would have written it.
    fn status(self, global_id: &str, number: usize) -> Vec<u8> {
        let (state, text) = if self.primary {
            (STOPPED, "local image is primary".to_owned())
        } else {
            (REPLAYING, description(number))
        };
        let words = Encoder::default().u8(state).string(&text).u32(1_750_000_000).u32(0).u8(1);
        let status = Encoder::default().string(global_id);
        if self.of.is_empty() {
            status.versioned(1, 1, &words).0
        } else {
            status.versioned(2, 2, &Encoder::default().string(self.of).bytes(&words.0)).0
        }
    }
}

/// Writes statuses for images that are mirrored.
pub(crate) fn write_statuses<'a>(
    pool: &c::Pool<'_>,
    ids: impl Iterator<Item = &'a str>,
    word: Word<'_>,
) -> Result<()> {
    let calls: Vec<_> =
        ids.enumerate().map(|(number, id)| ("mirror_image_status_set", word.status(id, number))).collect();
    calls.chunks(AT_ONCE).try_for_each(|calls| pool.exec_all("rbd_mirroring", calls))
}

/// The identity of image number `number`.
fn global(number: usize) -> String {
    format!("5f0523ef-a784-420f-8725-{number:012x}")
}

/// Writes entries of these names into a pool, and what is said of each. The pool's mirroring must be enabled.
pub(crate) fn fill(pool: &c::Pool<'_>, names: &[String], words: &[Word<'_>]) -> Result<()> {
    let id = |number: usize| format!("{:012x}", 0x1000_0000_0000_u64 + u64::try_from(number).unwrap_or(0));
    let numbered: Vec<(usize, &String)> = names.iter().enumerate().collect();
    for some in numbered.chunks(AT_ONCE) {
        let image = |(number, _): &(usize, &String)| {
            let body = Encoder::default().string(&global(*number)).u8(ENABLED).u8(0);
            ("mirror_image_set", Encoder::default().string(&id(*number)).versioned(2, 1, &body).0)
        };
        pool.exec_all("rbd_mirroring", &some.iter().map(image).collect::<Vec<_>>())?;
        let entry = |(number, name): &(usize, &String)| {
            ("dir_add_image", Encoder::default().string(name).string(&id(*number)).0)
        };
        pool.exec_all("rbd_directory", &some.iter().map(entry).collect::<Vec<_>>())?;
    }
    let globals: Vec<String> = (0..names.len()).map(global).collect();
    words.iter().try_for_each(|word| write_statuses(pool, globals.iter().map(String::as_str), *word))
}
