//! OpenNebula's metadata: what `opennebula-meta`'s own benchmark measures beside its two peers in Python, which do the whole conversion.

use std::collections::BTreeMap;
use std::env;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::groups::Size;
use crate::measure::Runs;
use crate::peers;
use crate::record::Record;

const WITHIN: Duration = Duration::from_secs(220);

pub(crate) fn run(size: Size, record: &mut Record) -> Result<()> {
    let vms = size.pick(10_000, 1_000);
    record.settings =
        "no lab; processor time of each side, the pool in memory; all sides wrote the same bytes; ours built with `lto = \"thin\"` and \
         one codegen unit, which is 4 % of it".to_owned();
    let mut bench = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    bench.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    bench.args(["bench", "--quiet", "--package", "opennebula-meta", "--bench", "pool"]);
    bench.env("VMS", vms.to_string()).env("PEER", "absent");
    let printed = peers::run(&mut bench, WITHIN)?;
    let mut runs = ["ours", "python3-lxml", "pyone"].map(|name| Runs { name, costs: Ok(Vec::new()) });
    let mut words = BTreeMap::new();
    for (key, value) in printed.lines().filter_map(|line| line.split_once(' ')) {
        if key != "round" {
            words.insert(key, value);
            continue;
        }
        let (name, cost) = value.split_once(' ').with_context(|| format!("{value} is no round"))?;
        let run = runs.iter_mut().find(|run| run.name.ends_with(name));
        let Runs { costs, .. } = run.with_context(|| format!("{name} is no side"))?;
        match (cost.split(' ').next().unwrap_or_default().parse::<f64>(), &mut *costs) {
            (Ok(cost), Ok(costs)) => costs.push(cost * 1000.0),
            _ => *costs = Err(format!("the peer is {cost}")),
        }
    }
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
