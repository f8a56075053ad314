//! The steps as bars over time, stages in groups.

use std::fmt::Write;

use super::document::{Document, Kind, Step, Verdict};
use super::svg::{Axis, clock, escape, fitted};

const WIDTH: f64 = 1100.0;
const LABELS: f64 = 400.0;
const ROW: f64 = 20.0;
const HEAD: f64 = 26.0;
const GAP: f64 = 8.0;

/// Characters of a label that fit beside the bars.
const FIT: usize = 58;

pub(super) fn draw(document: &Document) -> String {
    let axis = Axis { left: LABELS, width: WIDTH - LABELS - 60.0, seconds: document.seconds };
    let stages = document.steps.chunk_by(|one, next| one.stage == next.stage);
    let (mut y, mut body) = (HEAD, String::new());
    for stage in stages {
        group(&mut body, stage, &axis, &mut y);
    }
    let mut svg = String::new();
    let _ = write!(
        svg,
        "<svg viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" aria-label=\"The steps of the drill over time\">",
        y + 4.0
    );
    for tick in axis.ticks() {
        let x = axis.at(tick);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.0}\" y2=\"{y:.0}\"/>\
             <text class=\"tick\" x=\"{x:.1}\" y=\"14\" text-anchor=\"middle\">{}</text>",
            HEAD - 4.0,
            clock(tick)
        );
    }
    for event in &document.events {
        let x = axis.at(event.at);
        let _ = write!(
            svg,
            "<line class=\"blow\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.0}\" y2=\"{y:.0}\"><title>{}</title></line>",
            HEAD - 4.0,
            escape(&event.what)
        );
    }
    svg + &body + "</svg>"
}

fn group(body: &mut String, steps: &[Step], axis: &Axis, y: &mut f64) {
    let Some(first) = steps.first() else { return };
    let took: f64 = steps.iter().map(|step| step.seconds).sum();
    let _ = write!(
        body,
        "<rect class=\"band\" x=\"0\" y=\"{y:.0}\" width=\"{WIDTH}\" height=\"{ROW}\" rx=\"4\"/>\
         <text class=\"stage\" x=\"8\" y=\"{:.0}\">{}</text>\
         <text class=\"sum\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{took:.1} s</text>",
        *y + 14.5,
        fitted(&first.stage, FIT),
        WIDTH - 8.0,
        *y + 14.5
    );
    *y += ROW + 2.0;
    for step in steps {
        bar(body, step, axis, *y);
        *y += ROW;
    }
    *y += GAP;
}

fn bar(body: &mut String, step: &Step, axis: &Axis, y: f64) {
    let class = match (step.verdict, step.kind) {
        (Verdict::Failed, _) => "failed",
        (_, Kind::Command) => "command",
        (_, Kind::Check) => "check",
        (_, Kind::Step) => "step",
    };
    let (x, end) = (axis.at(step.began), axis.at(step.began + step.seconds));
    let width = (end - x).max(2.5);
    let _ = write!(
        body,
        "<g><title>{}: {:.1} s. {}</title><text class=\"label\" x=\"18\" y=\"{:.1}\">{}</text>\
         <rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.0}\" rx=\"2\"/>\
         <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\">{:.1}</text></g>",
        escape(&step.step),
        step.seconds,
        escape(&step.detail),
        y + 14.0,
        fitted(&step.step, FIT),
        y + 4.0,
        ROW - 8.0,
        x + width + 5.0,
        y + 14.0,
        step.seconds
    );
}
