//! The matrix as a text for people: what was run, what came of it, and what was not run.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result};

use super::{Cell, Part};
use crate::root::root;

/// The release that no Debian suite carries.
pub(super) const SQUID: &str = "squid";

/// What came of everything.
#[derive(Debug)]
pub(super) struct Report {
    /// Each release and what its image holds.
    versions: Vec<(String, String)>,
    full: bool,
    cells: Vec<(Part, Cell)>,
}

impl Report {
    pub(super) fn new(versions: Vec<(String, String)>, full: bool) -> Self {
        Self { versions, full, cells: Vec::new() }
    }

    /// Takes a cell, and writes the file anew: a run that is broken off keeps what it has shown.
    pub(super) fn add(&mut self, part: Part, cell: Cell) -> Result<()> {
        self.cells.push((part, cell));
        let path = root().join("tests/MATRIX.md");
        fs::write(&path, self.text()).with_context(|| format!("cannot write {}", path.display()))
    }

    fn of(&self, part: Part) -> Vec<&Cell> {
        self.cells.iter().filter(|(of, _)| *of == part).map(|(_, cell)| cell).collect()
    }

    pub(super) fn passed(&self) -> bool {
        self.cells.iter().all(|(_, cell)| cell.passed)
    }

    pub(super) fn text(&self) -> String {
        let mut text =
            "# The matrix of releases\n\nWritten by `cargo xtask matrix`; do not edit. ".to_owned();
        text += "The test programs are built once, against the oldest release, and run with the librbd of each.\n\n";
        text += "| release | Ceph |\n|---|---|\n";
        for (release, version) in &self.versions {
            let _ = writeln!(text, "| {release} | {version} |");
        }
        section(
            &mut text,
            "Built against each release's headers, unit tests run with its libraries",
            "| headers and libraries | outcome | tests passed |\n|---|---|---|\n",
            &self.of(Part::Headers),
            |cell| format!("| {} |", cell.client),
        );
        section(
            &mut text,
            "One site: every test of `tests/one_site`",
            "| librbd | cluster | outcome | tests passed |\n|---|---|---|---|\n",
            &self.of(Part::OneSite),
            |cell| format!("| {} | {} |", cell.client, cell.sites.concat()),
        );
        section(
            &mut text,
            "Two sites that mirror each other: peering by token, a move there and home, failback by resync",
            "| site A | site B | librbd | outcome | tests passed |\n|---|---|---|---|---|\n",
            &self.of(Part::TwoSites),
            |cell| format!("| {} | {} |", cell.sites.join(" | "), cell.client),
        );
        text += "\n## Not run\n\n";
        for line in self.not_run() {
            let _ = writeln!(text, "- {line}");
        }
        text
    }

    fn not_run(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.versions.iter().all(|(release, _)| release != SQUID) {
            lines.push(
                "Squid (19.2): no Debian suite carries it. Where its official image can be pulled, \
                 `cargo xtask images --release squid --from IMAGE` makes it part of the matrix."
                    .to_owned(),
            );
        }
        let (releases, one) = (self.versions.len(), self.versions.len().pow(2));
        let two = if self.full { one * releases } else { one };
        let parts = [
            ("Built against headers", Part::Headers, releases),
            ("One site", Part::OneSite, one),
            ("Two sites", Part::TwoSites, two),
        ];
        for (name, part, all) in parts {
            let missing = all.saturating_sub(self.of(part).len());
            if missing > 0 {
                lines.push(format!("{name}: {missing} of {all} cells were left out."));
            }
        }
        lines.push("The tests of the examples: they take cargo, and no image has it.".to_owned());
        if !self.full {
            lines.push(
                "Two sites with a librbd that is not of site A's release: `--full` runs them.".to_owned(),
            );
        }
        lines.push(
            "More than one monitor or OSD at a site; clusters that are upgraded under way; soak runs."
                .to_owned(),
        );
        lines
    }
}

fn section(text: &mut String, title: &str, head: &str, cells: &[&Cell], names: impl Fn(&Cell) -> String) {
    if cells.is_empty() {
        return;
    }
    let _ = write!(text, "\n## {title}\n\n{head}");
    for cell in cells.iter().copied() {
        let outcome = if cell.passed { "passed" } else { "**FAILED**" };
        let _ = writeln!(text, "{} {outcome} | {} in {} s |", names(cell), cell.counts, cell.took.as_secs());
    }
    let mut failed = cells.iter().copied().filter(|cell| !cell.failures.is_empty()).peekable();
    if failed.peek().is_some() {
        *text += "\nFailed:\n";
    }
    for cell in failed {
        let _ = writeln!(text, "- {} {}", names(cell).replace('|', "").trim(), cell.failures.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Cell, Part, Report};
    use crate::test::tee::Counts;

    #[test]
    fn what_failed_and_what_was_not_run_is_named() {
        let cell = |failures: &[&str]| Cell {
            client: "reef".into(),
            sites: vec!["pacific".into()],
            passed: failures.is_empty(),
            counts: Counts { passed: 3, failed: 1 },
            failures: failures.iter().map(|name| (*name).to_owned()).collect(),
            took: Duration::from_secs(4),
        };
        let mut report = Report::new(vec![("reef".into(), "18.2.7".into())], false);
        report.cells = vec![(Part::OneSite, cell(&[])), (Part::OneSite, cell(&["peer::token"]))];
        let text = report.text();
        assert!(!report.passed());
        for part in [
            "| reef | 18.2.7 |",
            "| reef | pacific | passed | 3 of 4 in 4 s |",
            "**FAILED**",
            "peer::token",
            "Squid",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.contains("headers: 1 of 1 cells were left out"), "{text}");
    }
}
