//! The coverage as a document.

use super::{Coverage, Covered, Row};

/// How many tests are named for a function. All are found by its name.
const TESTS_SHOWN_MAX: usize = 2;

/// The document.
pub(super) fn text(coverage: &Coverage) -> String {
    let mut text = String::from(
        "# What of librbd is covered\n\n\
         Written by `cargo xtask coverage` from the bindings, the code and the tests: do not edit. `cargo xtask tidy` fails when it is\n\
         out of date, when a function about mirroring is left out without a reason, when a function of ours has no test on a real site,\n\
         and when a trap has none.\n\n\
         ## Mirroring\n\n",
    );
    text += &format!("{}\n\n", summary(coverage));
    table(&mut text, &coverage.mirroring);
    text += "\n## What surrounds it\n\nThe other functions of librbd and librados that this crate calls.\n\n";
    table(&mut text, &coverage.surrounding);
    text += "\n## Traps\n\nWhat librbd does to those who trust it, and the tests that would see it happen to us.\n\n";
    text += "| trap | test |\n|---|---|\n";
    for (trap, tests) in &coverage.traps {
        text += &format!("| {trap} | {} |\n", tests.join("<br>"));
    }
    text
}

/// The sums, in a line.
pub(super) fn summary(coverage: &Coverage) -> String {
    let count =
        |is_it: fn(&Covered) -> bool| coverage.mirroring.iter().filter(|row| is_it(&row.covered)).count();
    let public = count(|covered| matches!(covered, Covered::Public { .. }));
    let frees = count(|covered| matches!(covered, Covered::Frees { .. }));
    let left_out = count(|covered| matches!(covered, Covered::LeftOut { .. }));
    let not = count(|covered| matches!(covered, Covered::Not | Covered::Inside { .. }));
    format!(
        "{} functions about mirroring: {public} are functions of ours, {frees} free what those get, {left_out} are left out as twins \
         of covered ones, {not} are missing.",
        coverage.mirroring.len()
    )
}

fn table(text: &mut String, rows: &[Row]) {
    *text += "| C function | our function | test |\n|---|---|---|\n";
    for Row { function, covered } in rows {
        let (ours, tests) = match covered {
            Covered::Public { ours, tests } => {
                let shown: Vec<&str> = tests.iter().take(TESTS_SHOWN_MAX).map(String::as_str).collect();
                (ours.join(", "), shown.join("<br>"))
            }
            Covered::Frees { ours } => (format!("frees what {} gets", ours.join(", ")), String::new()),
            Covered::Inside { files } => (format!("inside {}", files.join(", ")), String::new()),
            Covered::LeftOut { reason } => (format!("left out: {reason}"), String::new()),
            Covered::Not => ("**missing**".to_owned(), String::new()),
        };
        *text += &format!("| `{function}` | {ours} | {tests} |\n");
    }
}
