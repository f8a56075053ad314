//! The report as one HTML file: no script, nothing from elsewhere, every text escaped.

use std::fmt::Write;

use super::document::{Document, Verdict};
use super::svg::{clock, escape};
use super::{bars, curves};

const STYLE: &str = include_str!("page.css");

/// The page.
pub(crate) fn html(document: &Document) -> String {
    let mut page = String::new();
    let passed = document.verdict == Verdict::Passed;
    let (class, word) = if passed { ("passed", "PASSED") } else { ("refused", "FAILED") };
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Disaster-recovery drill: {word}</title>\n<style>\n{STYLE}</style></head>\n<body><main>\n\
         <header><h1>Disaster-recovery drill</h1><span class=\"badge {class}\">{word}</span></header>\n\
         <p class=\"muted\">Two OpenNebula sites on Ceph, everything done by <code>one-dr</code>. Began {}, took {} minutes.</p>\n",
        escape(&document.began),
        clock(document.seconds)
    );
    if let Some(error) = &document.error {
        let _ = writeln!(page, "<section class=\"error\"><h2>Why it failed</h2>{}</section>", escape(error));
    }
    cards(&mut page, document);
    losses(&mut page, document);
    let _ = write!(
        page,
        "<section><h2>Steps</h2><p class=\"muted\">Minutes and seconds since the drill began; seconds beside each bar.</p>\
         <p class=\"keys\"><span><i class=\"key command\"></i>one-dr</span><span><i class=\"key check\"></i>verdict</span>\
         <span><i class=\"key step\"></i>other steps</span><span><i class=\"key blow\"></i>disaster at site A</span></p>\n{}</section>\n",
        bars::draw(document)
    );
    let _ = write!(
        page,
        "<section><h2>How far replicas were behind</h2>\
         <p class=\"muted\">The age of the first write that the other site had not confirmed, by the primary's journal, once a second. \
         An upper bound: the other site confirms every few seconds.</p>\
         <p class=\"keys\"><span><i class=\"key command\"></i>seconds behind</span>\
         <span><i class=\"key unknown\"></i>nothing can be told: a site is silent, or nobody is primary</span>\
         <span><i class=\"key blow\"></i>disaster at site A</span></p>\n{}</section>\n",
        curves::draw(document)
    );
    verdicts(&mut page, document);
    commands(&mut page, document);
    page + "</main></body></html>\n"
}

fn cards(page: &mut String, document: &Document) {
    let seconds = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1} s"));
    let lost: u64 = document
        .disasters
        .iter()
        .flat_map(|disaster| &disaster.machines)
        .map(|machine| machine.missing())
        .sum();
    let held = document.checks().filter(|check| check.verdict == Verdict::Passed).count();
    let cards = [
        (seconds(document.worst_rto()), "worst RTO: from the blow until a VM writes at B"),
        (seconds(document.worst_rpo()), "worst RPO: acknowledged writes lost, by time"),
        (lost.to_string(), "acknowledged writes lost in disasters, all disks"),
        (format!("{held}/{}", document.checks().count()), "verdicts hold"),
        (document.commands.len().to_string(), "commands of one-dr"),
    ];
    page.push_str("<div class=\"cards\">");
    for (number, what) in cards {
        let _ = write!(page, "<div class=\"card\"><b>{}</b><span>{what}</span></div>", escape(&number));
    }
    page.push_str("</div>\n");
}

fn losses(page: &mut String, document: &Document) {
    page.push_str(
        "<section><h2>What each disaster cost</h2><p class=\"muted\">Counted by the machines themselves: what was acknowledged to them \
         at A before the blow, and what they found on their disks at B. Planned moves lost nothing, or the drill fails.</p>\
         <table><tr><th>Site A</th><th>VM</th><th class=\"number\">RTO</th><th>Disk</th><th class=\"number\">Acknowledged at A</th>\
         <th class=\"number\">Held by B</th><th class=\"number\">Writes lost</th><th class=\"number\">RPO</th></tr>\n",
    );
    for disaster in &document.disasters {
        for machine in &disaster.machines {
            for (at, loss) in machine.disks.iter().enumerate() {
                let first = |text: String| if at == 0 { text } else { String::new() };
                let _ = writeln!(
                    page,
                    "<tr><td>{}</td><td>{}</td><td class=\"number\">{}</td><td><code>{}</code></td><td class=\"number\">{}</td>\
                     <td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{:.2} s</td></tr>",
                    escape(&first(format!("{} at {}", disaster.site_a, clock(disaster.struck)))),
                    escape(&first(machine.machine.clone())),
                    first(format!("{:.1} s", machine.seconds_until_writing)),
                    escape(&loss.disk),
                    loss.acknowledged,
                    loss.held,
                    loss.missing,
                    loss.seconds
                );
            }
        }
    }
    page.push_str("</table></section>\n");
}

fn verdicts(page: &mut String, document: &Document) {
    page.push_str(
        "<section><h2>Verdicts</h2><p class=\"muted\">By witnesses that are no part of what is tested: Ceph's own commands, checksums \
         of exports, the machines' counts, the front-ends.</p>\
         <table><tr><th>Stage</th><th>What must hold</th><th>Verdict</th><th>Seen</th></tr>\n",
    );
    let mut last = "";
    for check in document.checks() {
        let stage = if check.stage == last { "" } else { &check.stage };
        last = &check.stage;
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(stage),
            escape(&check.step),
            mark(check.verdict == Verdict::Passed, "holds", "FAILED"),
            escape(&check.detail)
        );
    }
    page.push_str("</table></section>\n");
}

fn commands(page: &mut String, document: &Document) {
    page.push_str(
        "<section><h2>Commands</h2><p class=\"muted\">As they were run; <code>--yes</code> and the configuration are left out. A refusal \
         was expected where its code is not 0.</p>\
         <table><tr><th>At</th><th>Command</th><th>Exit code</th><th class=\"number\">Seconds</th></tr>\n",
    );
    for command in &document.commands {
        let code = command.exit_code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
        let is = command.exit_code == Some(command.expected);
        let (good, bad) = (format!("{code}, as expected"), format!("{code}, and not {}", command.expected));
        let _ = writeln!(
            page,
            "<tr><td class=\"mark\">{}</td><td><code>one-dr {}</code></td><td>{}</td><td class=\"number\">{:.1}</td></tr>",
            clock(command.began),
            escape(&command.arguments),
            mark(is, &good, &bad),
            command.seconds
        );
    }
    page.push_str("</table></section>\n");
}

fn mark(good: bool, yes: &str, no: &str) -> String {
    let (class, word) = if good { ("good", yes) } else { ("bad", no) };
    format!("<span class=\"mark {class}\">{}</span>", escape(word))
}

#[cfg(test)]
mod tests {
    use super::super::document::{Command, Document, Kind, Lag, Step, Verdict};
    use super::html;

    /// Every text of the report is hostile.
    fn hostile() -> Document {
        let evil = || "</title><script>alert(1)</script>\" onload='x'".to_owned();
        let step = Step {
            stage: evil(),
            step: evil(),
            kind: Kind::Check,
            verdict: Verdict::Failed,
            began: 0.0,
            seconds: 1.0,
            detail: evil(),
        };
        let command =
            Command { began: 0.0, seconds: 1.0, arguments: evil(), exit_code: Some(1), expected: 0 };
        let lag = Lag { at: 0.5, disk: evil(), seconds: Some(0.1) };
        Document {
            began: evil(),
            error: Some(evil()),
            seconds: 2.0,
            steps: vec![step],
            commands: vec![command],
            lag: vec![lag],
            ..Document::default()
        }
    }

    #[test]
    fn a_page_of_hostile_texts_has_no_script_and_nothing_from_elsewhere() {
        let page = html(&hostile());
        assert!(page.contains("&lt;script&gt;"), "the texts are on the page");
        for forbidden in ["<script", "onload='", "src=", "href=", "url(", "@import"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(page.contains("FAILED"));
    }
}
