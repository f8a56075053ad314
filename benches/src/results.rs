//! `RESULTS.md`: ratios first, then figures, then what was absolute on the machine of the run. Only ever generated.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::thread;

use anyhow::Result;

use crate::measure::Spread;
use crate::plot;
use crate::record::{Record, Row, Series};

/// Writes the results and the plots.
pub(crate) fn write(out: &Path, records: &[Record], quick: bool) -> Result<()> {
    let plots = out.join("plots");
    fs::create_dir_all(&plots)?;
    let mut drawn = Vec::new();
    for record in records {
        if let Some(svg) = plot::ratios(record) {
            let name = format!("{}.svg", record.group);
            fs::write(plots.join(&name), svg)?;
            drawn.push(name);
        }
    }
    let series: Vec<&Series> = records.iter().flat_map(|record| &record.series).collect();
    if let Some(svg) = plot::lines("Statuses of a whole pool", "images", "seconds", &series) {
        fs::write(plots.join("status-size.svg"), svg)?;
        drawn.push("status-size.svg".to_owned());
    }
    fs::write(out.join("RESULTS.md"), text(records, &drawn, quick))?;
    Ok(())
}

fn text(records: &[Record], plots: &[String], quick: bool) -> String {
    let mut text = String::from(
        "# Results\n\nWritten by `cargo xtask bench`; do not edit. How it is measured: `README.md`.\n\n",
    );
    if quick {
        text.push_str("**A quick run: fewer and smaller, to see that it works. Not for comparison.**\n\n");
    }
    let _ = writeln!(text, "Machine: {}.\n", machine());
    text.push_str("## Ratios\n\nThe peer's cost over ours in the same round, median and spread (lowest to highest) of the rounds. ");
    text.push_str("Above 1 ours costs less. \"asked\" is the least that is asked for.\n\n");
    text.push_str(
        "| work | peer | peer / ours | spread | rounds | asked | |\n|---|---|---|---|---|---|---|\n",
    );
    for row in records.iter().flat_map(|record| &record.rows) {
        ratio(&mut text, row);
    }
    text.push_str("\n## Figures\n\n| what | figure | asked, at most | |\n|---|---|---|---|\n");
    for figure in records.iter().flat_map(|record| &record.figures) {
        let asked = figure.at_most.map(number).unwrap_or_default();
        let verdict =
            figure.at_most.map_or("", |most| if figure.value <= most { "met" } else { "**missed**" });
        let _ = writeln!(
            text,
            "| {} | {} {} | {asked} | {verdict} |",
            figure.what,
            number(figure.value),
            figure.unit
        );
    }
    text.push_str("\n## Absolute, on this machine\n\nMedian and spread of the rounds.\n\n");
    text.push_str("| work | peer | unit | ours | peer's |\n|---|---|---|---|---|\n");
    for row in records.iter().flat_map(|record| &record.rows) {
        let theirs = row.theirs.map_or_else(|| "did not run".to_owned(), spread);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {theirs} |",
            row.work,
            row.peer,
            row.unit,
            spread(row.ours)
        );
    }
    let minutes = records.iter().map(|record| record.seconds).sum::<f64>() / 60.0;
    let _ = writeln!(text, "\n## Groups\n\n{minutes:.0} minutes in all.\n");
    for record in records {
        let _ =
            writeln!(text, "**{}** ({:.0} s). {}.", record.group, record.seconds, capital(&record.settings));
        if let Some(why) = &record.failed {
            let _ = writeln!(text, "**Failed: {why}**");
        }
        for remark in &record.remarks {
            let _ = writeln!(text, "{remark}");
        }
        text.push('\n');
    }
    if !plots.is_empty() {
        text.push_str("## Plots\n\n");
        for plot in plots {
            let _ = writeln!(text, "![{plot}](plots/{plot})\n");
        }
    }
    text.trim_end().to_owned() + "\n"
}

fn ratio(text: &mut String, row: &Row) {
    let Some(ratio) = row.ratio else {
        let why = row.absent.as_deref().unwrap_or("no reason given").replace(['|', '\n'], " ");
        let _ = writeln!(text, "| {} | {} | did not run: {why} | | | | |", row.work, row.peer);
        return;
    };
    let asked = row.bar.map(number).unwrap_or_default();
    let verdict = row.bar.map_or("", |bar| if ratio.median >= bar { "met" } else { "**missed**" });
    let _ = writeln!(
        text,
        "| {} | {} | {} | {} to {} | {} | {asked} | {verdict} |",
        row.work,
        row.peer,
        number(ratio.median),
        number(ratio.low),
        number(ratio.high),
        ratio.runs
    );
}

fn spread(spread: Spread) -> String {
    format!("{} ({} to {})", number(spread.median), number(spread.low), number(spread.high))
}

/// Three digits that matter.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || value == value.trunc() => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        size if size >= 0.001 => format!("{value:.4}"),
        _ => format!("{value:.6}"),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// What the figures hang on.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, key: &str| -> String {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_once(':').map_or("unknown", |(_, value)| value).trim().to_owned()
    };
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg").split_whitespace().next().unwrap_or("unknown").to_owned();
    format!(
        "{cores} cores ({}), memory {}, load {load} when this was written; librbd {}",
        field(&read("/proc/cpuinfo"), "model name"),
        field(&read("/proc/meminfo"), "MemTotal"),
        rbd_mirror::Version::loaded()
    )
}

#[cfg(test)]
mod tests {
    use super::{number, text};
    use crate::measure::Runs;
    use crate::record::Record;

    #[test]
    fn a_missed_bar_is_said_and_a_peer_that_did_not_run_is_named_with_its_reason() {
        let mut record = Record { group: "flatten".to_owned(), ..Record::default() };
        let runs = |name, costs: Result<Vec<f64>, String>| Runs { name, costs };
        record.compare(
            "work",
            "s",
            &[
                runs("ours", Ok(vec![2.0, 2.0])),
                runs("slow", Ok(vec![6.0, 8.0])),
                runs("fast", Ok(vec![1.0, 1.0])),
                runs("absent", Err("not installed".to_owned())),
            ],
            &[("slow", 3.0), ("fast", 1.0)],
        );
        let text = text(&[record], &[], false);
        assert!(text.contains("| work | slow | 3.50 | 3 to 4 | 2 | 3 | met |"), "{text}");
        assert!(text.contains("| work | fast | 0.50 | 0.50 to 0.50 | 2 | 1 | **missed** |"), "{text}");
        assert!(text.contains("| work | absent | did not run: not installed |"), "{text}");
    }

    #[test]
    fn numbers_keep_the_digits_that_matter() {
        let written: Vec<String> = [1234.5, 12.34, 1.234, 0.01234, 40.0].map(number).to_vec();
        assert_eq!(written, ["1234", "12.3", "1.23", "0.0123", "40"]);
    }
}
