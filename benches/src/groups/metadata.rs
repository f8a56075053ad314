//! OpenNebula's metadata: what `opennebula-meta`'s own benchmark measures beside its two peers in Python, which do the whole conversion.

use std::collections::BTreeMap;
use std::env;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::groups::Size;
use crate::measure::{Runs, paired, side};
use crate::peers;
use crate::record::Record;

const WITHIN: Duration = Duration::from_secs(220);

pub(crate) fn run(size: Size, record: &mut Record) -> Result<()> {
    let vms = size.pick(10_000, 1_000);
    record.settings =
        "no lab; processor time of each side, the fastest of several runs; all sides wrote the same bytes"
            .to_owned();
    let mut bench = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    bench.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    bench.args(["bench", "--quiet", "--package", "opennebula-meta", "--bench", "pool"]);
    bench.env("VMS", vms.to_string()).env("PEER", "absent");
    let printed = peers::run(&mut bench, WITHIN)?;
    let words: BTreeMap<&str, &str> = printed.lines().filter_map(|line| line.split_once(' ')).collect();
    let milliseconds = |key: &str| -> Result<f64> {
        let word = words.get(key).with_context(|| format!("no {key}"))?;
        word.parse().with_context(|| format!("the peer is {word}"))
    };
    let runs: Vec<Runs> = paired(
        1,
        vec![
            side("ours", || milliseconds("ours_cpu_ms_min")),
            side("python3-lxml", || milliseconds("lxml_cpu_ms_min")),
            side("pyone", || milliseconds("pyone_cpu_ms_min")),
        ],
    )?;
    let bars = [("python3-lxml", 20.0), ("pyone", 20.0)];
    record.compare(&format!("{vms} extended VMs to templates"), "ms of processor time", &runs, &bars);
    for (key, value) in &words {
        let Some(mib) = key.strip_prefix("ours_peak_rss_kib_after_") else { continue };
        let mib = mib.trim_end_matches("_mib");
        record.figure(
            format!("peak resident set after {mib} MiB of XML"),
            value.parse::<f64>()? / 1024.0,
            "MiB",
            None,
        );
    }
    Ok(())
}
