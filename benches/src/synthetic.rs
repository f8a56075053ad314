//! Pools of mirrored images that are entries alone: what a status list reads, without the images behind it.
//!
//! Written through librbd's object class as rbd-mirror writes them, so that the sides that read them cannot tell. An image cannot be
//! opened, so `rbd mirror pool status --verbose`, which opens each, is no peer here.

use anyhow::Result;

use ceph_plain as c;

/// As many calls as one write of the object takes well.
const AT_ONCE: usize = 100;

const REPLAYING: u8 = 4;
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

/// A status as the daemon of this site would have written it.
fn status(global_id: &str, number: usize) -> Vec<u8> {
    let body = Encoder::default().u8(REPLAYING).string(&description(number)).u32(1_750_000_000).u32(0).u8(1);
    Encoder::default().string(global_id).versioned(1, 1, &body).0
}

/// Writes statuses for images that are mirrored.
pub(crate) fn write_statuses<'a>(pool: &c::Pool<'_>, ids: impl Iterator<Item = &'a str>) -> Result<()> {
    let calls: Vec<_> =
        ids.enumerate().map(|(number, id)| ("mirror_image_status_set", status(id, number))).collect();
    calls.chunks(AT_ONCE).try_for_each(|calls| pool.exec_all("rbd_mirroring", calls))
}

/// Writes a pool of so many entries. Its mirroring must be enabled.
pub(crate) fn fill(pool: &c::Pool<'_>, count: usize) -> Result<()> {
    let global = |number: usize| format!("5f0523ef-a784-420f-8725-{number:012x}");
    let id = |number: usize| format!("{:012x}", 0x1000_0000_0000_u64 + u64::try_from(number).unwrap_or(0));
    let numbers: Vec<usize> = (0..count).collect();
    for numbers in numbers.chunks(AT_ONCE) {
        let image = |number: &usize| {
            let body = Encoder::default().string(&global(*number)).u8(ENABLED).u8(0);
            ("mirror_image_set", Encoder::default().string(&id(*number)).versioned(2, 1, &body).0)
        };
        pool.exec_all("rbd_mirroring", &numbers.iter().map(image).collect::<Vec<_>>())?;
        let entry = |number: &usize| {
            let name = format!("one-{number}-{}-0", number % 7);
            ("dir_add_image", Encoder::default().string(&name).string(&id(*number)).0)
        };
        pool.exec_all("rbd_directory", &numbers.iter().map(entry).collect::<Vec<_>>())?;
    }
    let globals: Vec<String> = numbers.iter().map(|number| global(*number)).collect();
    write_statuses(pool, globals.iter().map(String::as_str))
}
