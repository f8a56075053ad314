//! Reading the texts of statuses beside serde_json alone, which reads the numbers out of the same texts and nothing else.

use std::hint::black_box;

use anyhow::{Context, Result, ensure};
use rbd_mirror::status::description::Description;
use serde::Deserialize;
use serde_json::Value;

use crate::groups::Size;
use crate::measure::{paired, seconds, side};
use crate::record::Record;
use crate::synthetic::description;

const TYPED: &str = "serde_json alone, into a plain structure";
const TREE: &str = "serde_json alone, into a tree";

/// What a program writes that trusts the text.
#[derive(Deserialize)]
#[allow(dead_code, reason = "read by the deserializer, which is what is timed")]
struct Plain {
    bytes_per_second: f64,
    entries_behind_primary: i64,
    entries_per_second: f64,
    non_primary_position: Position,
    primary_position: Position,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "as above")]
struct Position {
    entry_tid: u64,
    object_number: u64,
    tag_tid: u64,
}

pub(crate) fn run(size: Size, record: &mut Record) -> Result<()> {
    let count = size.pick(100_000, 10_000);
    let texts: Vec<String> = (0..count).map(description).collect();
    record.settings =
        "no lab; texts of journal mode as rbd-mirror 16 writes them, each with other numbers".to_owned();
    ensure!(texts.iter().all(|text| Description::new(text).journal().is_some()), "a text was not understood");
    let numbers = |text: &str| -> Result<usize> { text.find('{').context("no numbers") };
    let runs = paired(
        size.pick(15, 5),
        vec![
            side("ours", || {
                seconds(|| {
                    texts.iter().for_each(|text| drop(black_box(Description::new(text).meaning())));
                    Ok(())
                })
            }),
            side(TYPED, || {
                seconds(|| {
                    texts.iter().try_for_each(|text| {
                        black_box(serde_json::from_str::<Plain>(&text[numbers(text)?..])?);
                        Ok(())
                    })
                })
            }),
            side(TREE, || {
                seconds(|| {
                    texts.iter().try_for_each(|text| {
                        black_box(serde_json::from_str::<Value>(&text[numbers(text)?..])?);
                        Ok(())
                    })
                })
            }),
        ],
    )?;
    record.compare(&format!("parse {count} descriptions"), "s", &runs, &[(TYPED, 1.0 / 1.5)]);
    Ok(())
}
