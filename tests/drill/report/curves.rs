//! How far each replica was behind, as curves over time: one drawing a disk, on one scale.

use std::fmt::Write;

use super::document::{Document, Lag};
use super::svg::{Axis, clock, escape, fitted};

const WIDTH: f64 = 1100.0;
const LEFT: f64 = 190.0;
const HEIGHT: f64 = 64.0;
const GAP: f64 = 18.0;
const HEAD: f64 = 26.0;

pub(super) fn draw(document: &Document) -> String {
    let mut disks: Vec<&str> = document.lag.iter().map(|sample| sample.disk.as_str()).collect();
    disks.sort_unstable();
    disks.dedup();
    if disks.is_empty() {
        return "<p class=\"muted\">No sample was taken.</p>".to_owned();
    }
    let axis = Axis { left: LEFT, width: WIDTH - LEFT - 20.0, seconds: document.seconds };
    let highest = document.lag.iter().filter_map(|sample| sample.seconds).fold(0.0, f64::max);
    let top = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0].into_iter().find(|top| highest <= *top);
    let top = top.unwrap_or(highest);
    let count = f64::from(u16::try_from(disks.len()).unwrap_or(u16::MAX));
    let bottom = HEAD + count * (HEIGHT + GAP);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {bottom:.0}\" role=\"img\" aria-label=\"Seconds behind, disk by disk\">"
    );
    for tick in axis.ticks() {
        let x = axis.at(tick);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.0}\" y2=\"{:.0}\"/>\
             <text class=\"tick\" x=\"{x:.1}\" y=\"14\" text-anchor=\"middle\">{}</text>",
            HEAD - 4.0,
            bottom - GAP,
            clock(tick)
        );
    }
    for event in &document.events {
        let x = axis.at(event.at);
        let _ = write!(
            svg,
            "<line class=\"blow\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.0}\" y2=\"{:.0}\"><title>{}</title></line>",
            HEAD - 4.0,
            bottom - GAP,
            escape(&event.what)
        );
    }
    let mut y = HEAD;
    for disk in disks {
        let samples: Vec<&Lag> = document.lag.iter().filter(|sample| sample.disk == disk).collect();
        panel(&mut svg, disk, &samples, &axis, (y, top));
        y += HEIGHT + GAP;
    }
    svg + "</svg>"
}

fn panel(svg: &mut String, disk: &str, samples: &[&Lag], axis: &Axis, (y, top): (f64, f64)) {
    let floor = y + HEIGHT;
    let (left, right) = (axis.left, axis.left + axis.width);
    let worst = samples.iter().filter_map(|sample| sample.seconds).fold(0.0, f64::max);
    let _ = write!(
        svg,
        "<line class=\"axis\" x1=\"{left:.1}\" x2=\"{right:.1}\" y1=\"{floor:.1}\" y2=\"{floor:.1}\"/>\
         <text class=\"label\" x=\"8\" y=\"{:.1}\">{}</text>\
         <text class=\"tick\" x=\"8\" y=\"{:.1}\">at most {worst:.1} s behind</text>\
         <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{top:.0} s</text>\
         <text class=\"tick\" x=\"{:.1}\" y=\"{floor:.1}\" text-anchor=\"end\">0</text>",
        y + 28.0,
        fitted(disk, 22),
        y + 46.0,
        left - 8.0,
        y + 8.0,
        left - 8.0
    );
    // A gap is where nothing can be told: a site is silent, or nobody is primary.
    for run in samples.chunk_by(|one, next| one.seconds.is_some() == next.seconds.is_some()) {
        let height = |seconds: f64| floor - HEIGHT * (seconds / top).clamp(0.0, 1.0);
        let points: Vec<(f64, f64)> = run
            .iter()
            .filter_map(|sample| sample.seconds.map(|seconds| (axis.at(sample.at), height(seconds))))
            .collect();
        if let (Some((from, _)), Some((to, _))) = (points.first(), points.last()) {
            let line: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let line = line.join(" ");
            let _ = write!(
                svg,
                "<polygon class=\"area\" points=\"{from:.1},{floor:.1} {line} {to:.1},{floor:.1}\"/>\
                 <polyline class=\"curve\" points=\"{line}\"/>"
            );
        } else if let (Some(first), Some(last)) = (run.first(), run.last()) {
            let (from, to) = (axis.at(first.at), axis.at(last.at));
            let _ = write!(
                svg,
                "<rect class=\"unknown\" x=\"{from:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{HEIGHT}\">\
                 <title>nothing can be told: a site is silent, or nobody is primary</title></rect>",
                (to - from).max(1.5)
            );
        }
    }
}
