//! The functions that need no Ceph and take microseconds, by Criterion: `benches/functions.rs`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::groups::Size;
use crate::peers;
use crate::record::Record;

const WITHIN: Duration = Duration::from_secs(520);

/// What Criterion calls a benchmark.
#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
}

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    confidence_interval: Interval,
    point_estimate: f64,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

pub(crate) fn run(size: Size, record: &mut Record) -> Result<()> {
    record.settings = "no lab; Criterion's medians with their 95 % intervals".to_owned();
    let home = tempfile::tempdir()?;
    let mut bench = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    bench.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).env("CRITERION_HOME", home.path());
    bench.args(["bench", "--quiet", "--package", "benches", "--bench", "functions", "--"]);
    bench.args(size.pick(["--noplot"].as_slice(), ["--noplot", "--quick"].as_slice()));
    peers::run(&mut bench, WITHIN)?;
    let found = results(home.path())?;
    ensure!(!found.is_empty(), "Criterion left no results");
    for folder in found {
        let name: Benchmark = read(&folder.join("benchmark.json"))?;
        let Estimates { median } = read(&folder.join("estimates.json"))?;
        let Interval { lower_bound, upper_bound } = median.confidence_interval;
        let what = format!("function {} ({lower_bound:.0} to {upper_bound:.0})", name.full_id);
        record.figure(what, median.point_estimate, "ns", None);
    }
    Ok(())
}

/// The folders of the newest results, in the order of their names.
fn results(home: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut left) = (Vec::new(), vec![home.to_owned()]);
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name == "new") {
                found.push(path);
            } else if path.is_dir() {
                left.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn read<T: DeserializeOwned>(file: &Path) -> Result<T> {
    let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not Criterion's", file.display()))
}
