//! The report for a person at a terminal.

use std::io::{self, IsTerminal};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::document::{Document, Verdict};

pub(super) fn table(document: &Document) -> String {
    let mut table = new_table(&["stage", "step", "seconds", "verdict", "seen"]);
    let mut last = "";
    for step in &document.steps {
        let stage = if step.stage == last { "" } else { &step.stage };
        last = &step.stage;
        let verdict = if step.verdict == Verdict::Passed { "ok" } else { "FAILED" };
        table.add_row([stage, &step.step, &format!("{:.1}", step.seconds), verdict, &step.detail]);
    }
    if let Some(column) = table.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let sum = match (document.verdict, &document.error) {
        (Verdict::Passed, _) => "passed".to_owned(),
        (Verdict::Failed, Some(error)) => format!("FAILED in \"{last}\": {error}"),
        (Verdict::Failed, None) => "FAILED".to_owned(),
    };
    let (steps, seconds) = (document.steps.len(), document.seconds);
    format!("{table}\n\n{}\n\n{steps} steps in {seconds:.0} s: {sum}", losses(document))
}

/// What the disasters cost.
fn losses(document: &Document) -> Table {
    let head = [
        "site A",
        "VM",
        "writes at B after",
        "disk",
        "acknowledged at A",
        "held by B",
        "writes lost",
        "seconds lost",
    ];
    let mut table = new_table(&head);
    for disaster in &document.disasters {
        let mut site = disaster.site_a.clone();
        for machine in &disaster.machines {
            let mut first = [
                std::mem::take(&mut site),
                machine.machine.clone(),
                format!("{:.1} s", machine.seconds_until_writing),
            ];
            for loss in &machine.disks {
                let numbers = [loss.acknowledged, loss.held, loss.missing].map(|number| number.to_string());
                let row = std::mem::take(&mut first).into_iter().chain([loss.disk.clone()]).chain(numbers);
                table.add_row(row.chain([format!("{:.2}", loss.seconds)]));
            }
        }
    }
    table
}

fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    if !io::stdout().is_terminal() {
        table.set_width(180);
    }
    table.set_header(header);
    table
}
