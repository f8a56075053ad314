//! What a group has found: rows beside peers, single figures, and series for the plots. Written by the group's process, read by the run.

use std::fs;
use std::io::Error as IoError;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::measure::{Runs, Spread};

/// One work, ours beside a peer's. The ratio is the peer's cost over ours: above one, ours costs less.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) work: String,
    pub(crate) peer: String,
    pub(crate) unit: String,
    pub(crate) ours: Spread,
    pub(crate) theirs: Option<Spread>,
    pub(crate) ratio: Option<Spread>,
    /// The ratio that is asked for, at least.
    pub(crate) bar: Option<f64>,
    /// Why the peer did not run.
    pub(crate) absent: Option<String>,
}

/// A figure that has no peer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    /// What is asked for, at most.
    pub(crate) at_most: Option<f64>,
}

/// A line of a plot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Series {
    pub(crate) plot: String,
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// All that a group has found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) group: String,
    /// The settings of the lab that it ran on.
    pub(crate) settings: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) figures: Vec<Figure>,
    pub(crate) series: Vec<Series>,
    pub(crate) remarks: Vec<String>,
    pub(crate) failed: Option<String>,
    pub(crate) seconds: f64,
    /// Where it is kept as it grows, so that a group that is ended has not worked for nothing.
    #[serde(skip)]
    pub(crate) file: Option<PathBuf>,
}

impl Record {
    /// Adds a row for each peer of `runs`, of which the first is ours. `bars` names peers and what is asked for.
    pub(crate) fn compare(&mut self, work: &str, unit: &str, runs: &[Runs], bars: &[(&str, f64)]) {
        self.compare_per(work, unit, runs, bars, 1.0);
    }

    /// [`compare`](Self::compare) where a peer's figure stands for so many times the work that it did.
    pub(crate) fn compare_per(
        &mut self,
        work: &str,
        unit: &str,
        runs: &[Runs],
        bars: &[(&str, f64)],
        scale: f64,
    ) {
        let Some((ours, peers)) = runs.split_first() else { return };
        let costs = ours.costs.as_deref().unwrap_or_default();
        for peer in peers {
            let bar = bars.iter().find(|(name, _)| *name == peer.name).map(|(_, bar)| *bar);
            let theirs: Option<Vec<f64>> =
                peer.costs.as_ref().ok().map(|costs| costs.iter().map(|cost| cost * scale).collect());
            let ratios = theirs.as_ref().map(|theirs| {
                theirs.iter().zip(costs).map(|(theirs, ours)| theirs / ours).collect::<Vec<f64>>()
            });
            let row = Row {
                work: work.to_owned(),
                peer: peer.name.to_owned(),
                unit: unit.to_owned(),
                ours: Spread::of(costs),
                theirs: theirs.as_deref().map(Spread::of),
                ratio: ratios.as_deref().map(Spread::of),
                bar,
                absent: peer.costs.as_ref().err().cloned(),
            };
            eprintln!("bench: {work}, {}: {:.2}", row.peer, row.ratio.map_or(f64::NAN, |ratio| ratio.median));
            self.rows.push(row);
        }
        self.save();
    }

    /// Keeps it, where it has a file.
    pub(crate) fn save(&self) {
        let Some(file) = &self.file else { return };
        let saved =
            serde_json::to_string_pretty(self).map_err(IoError::from).and_then(|text| fs::write(file, text));
        if let Err(error) = saved {
            eprintln!("bench: cannot write {}: {error}", file.display());
        }
    }

    pub(crate) fn figure(&mut self, what: impl Into<String>, value: f64, unit: &str, at_most: Option<f64>) {
        let what = what.into();
        eprintln!("bench: {what}: {value:.2} {unit}");
        self.figures.push(Figure { what, value, unit: unit.to_owned(), at_most });
    }

    pub(crate) fn remark(&mut self, text: impl Into<String>) {
        self.remarks.push(text.into());
    }
}
