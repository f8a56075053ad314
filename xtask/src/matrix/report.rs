//! The matrix as a text for people: what was run, what came of it, and what was not run.

use std::fmt::Write;

use super::Cell;

/// The release that no Debian suite carries.
pub(super) const SQUID: &str = "squid";

/// What came of everything.
#[derive(Debug)]
pub(super) struct Report {
    /// Each release and what its image holds.
    versions: Vec<(String, String)>,
    full: bool,
    pub(super) headers: Option<Vec<Cell>>,
    pub(super) one_site: Option<Vec<Cell>>,
    pub(super) two_sites: Option<Vec<Cell>>,
}

impl Report {
    pub(super) fn new(versions: Vec<(String, String)>, full: bool) -> Self {
        Self { versions, full, headers: None, one_site: None, two_sites: None }
    }

    fn cells(&self) -> impl Iterator<Item = &Cell> {
        [&self.headers, &self.one_site, &self.two_sites].into_iter().flatten().flatten()
    }

    pub(super) fn passed(&self) -> bool {
        self.cells().all(|cell| cell.passed)
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
            self.headers.as_deref(),
            |cell| format!("| {} |", cell.client),
        );
        section(
            &mut text,
            "One site: every test of `tests/one_site`",
            "| librbd | cluster | outcome | tests passed |\n|---|---|---|---|\n",
            self.one_site.as_deref(),
            |cell| format!("| {} | {} |", cell.client, cell.sites.concat()),
        );
        section(
            &mut text,
            "Two sites that mirror each other: peering by token, a move there and home, failback by resync, snapshot mode, a cut",
            "| site A | site B | librbd | outcome | tests passed |\n|---|---|---|---|---|\n",
            self.two_sites.as_deref(),
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
        for (part, cells) in
            [("headers", &self.headers), ("one site", &self.one_site), ("two sites", &self.two_sites)]
        {
            if cells.is_none() {
                lines.push(format!("The part \"{part}\": it was not asked for."));
            }
        }
        if !self.full && self.two_sites.is_some() {
            lines.push(
                "Two sites with a librbd between the oldest and the newest: `--full` runs them.".to_owned(),
            );
        }
        lines.push(
            "More than one monitor or OSD at a site; clusters that are upgraded under way; soak runs."
                .to_owned(),
        );
        lines
    }
}

fn section(
    text: &mut String,
    title: &str,
    head: &str,
    cells: Option<&[Cell]>,
    names: impl Fn(&Cell) -> String,
) {
    let Some(cells) = cells else { return };
    let _ = write!(text, "\n## {title}\n\n{head}");
    for cell in cells {
        let outcome = if cell.passed { "passed" } else { "**FAILED**" };
        let _ = writeln!(text, "{} {outcome} | {} in {} s |", names(cell), cell.counts, cell.took.as_secs());
    }
    let mut failed = cells.iter().filter(|cell| !cell.failures.is_empty()).peekable();
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

    use super::{Cell, Report};
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
        report.one_site = Some(vec![cell(&[]), cell(&["peer::token"])]);
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
        assert!(text.contains("\"headers\": it was not asked for"), "{text}");
    }
}
