//! Plots as SVG, drawn from the records: bars of ratios, and lines over the size of a pool.

use std::fmt::Write;

use crate::record::{Record, Series};

const WIDTH: f64 = 960.0;
const COLOURS: [&str; 6] = ["#1b6ca8", "#d1495b", "#edae49", "#00798c", "#7d5ba6", "#5c5c5c"];

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('`', "")
}

fn open(height: f64, title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"12\" y=\"22\" font-size=\"16\">{}</text>\n",
        escape(title)
    )
}

/// A bar for each peer: how many times its cost is ours, on a scale of powers, with the bar that is asked for.
pub(crate) fn ratios(record: &Record) -> Option<String> {
    const LEFT: f64 = 470.0;
    let rows: Vec<_> = record.rows.iter().filter_map(|row| Some((row, row.ratio?))).collect();
    let largest = rows.iter().map(|(_, ratio)| ratio.high).fold(10.0, f64::max).log10();
    let smallest = rows.iter().map(|(_, ratio)| ratio.low).fold(0.5, f64::min).max(1e-3).log10();
    if rows.is_empty() {
        return None;
    }
    let x = |ratio: f64| {
        LEFT + (ratio.max(1e-3).log10() - smallest) / (largest - smallest) * (WIDTH - LEFT - 70.0)
    };
    let mut height = 52.0;
    let mut body = String::new();
    for (row, ratio) in &rows {
        let middle = height + 4.0;
        let name = escape(&format!("{}: {}", row.work, row.peer));
        let name: String = name.chars().take(84).collect();
        let (from, to) = (x(1.0).min(x(ratio.median)), x(1.0).max(x(ratio.median)));
        let colour = if row.bar.is_some_and(|bar| ratio.median < bar) { COLOURS[1] } else { COLOURS[0] };
        let _ = writeln!(
            body,
            "<text x=\"{:.0}\" y=\"{middle:.0}\" text-anchor=\"end\" font-size=\"10\">{name}</text>\n\
             <rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"11\" fill=\"{colour}\"/>\n\
             <line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{height:.1}\" y2=\"{height:.1}\" stroke=\"black\"/>\n\
             <text x=\"{:.1}\" y=\"{middle:.0}\">{:.2}</text>",
            LEFT - 8.0,
            height - 5.5,
            (to - from).max(1.0),
            x(ratio.low),
            x(ratio.high),
            x(ratio.high.max(1.0)) + 6.0,
            ratio.median
        );
        if let Some(bar) = row.bar {
            let _ = writeln!(
                body,
                "<line x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{1:.1}\" y2=\"{2:.1}\" stroke=\"black\" stroke-dasharray=\"2\"/>",
                x(bar),
                height - 8.0,
                height + 8.0
            );
        }
        height += 20.0;
    }
    let one = x(1.0);
    let _ = writeln!(
        body,
        "<line x1=\"{one:.1}\" x2=\"{one:.1}\" y1=\"40\" y2=\"{height:.0}\" stroke=\"gray\"/>"
    );
    let title = format!(
        "{}: the peer's cost over ours (right of the line ours costs less; dashed: asked for)",
        record.group
    );
    Some(format!("{}{body}</svg>\n", open(height + 10.0, &title)))
}

/// Lines through the points of series, both axes in powers of ten.
pub(crate) fn lines(title: &str, across: &str, up: &str, series: &[&Series]) -> Option<String> {
    const HEIGHT: f64 = 520.0;
    let points = || series.iter().flat_map(|series| series.points.iter().copied());
    let edge = |pick: fn((f64, f64)) -> f64, better: fn(f64, f64) -> f64| {
        points().map(pick).filter(|value| *value > 0.0).reduce(better).map(f64::log10)
    };
    let (left, right) = (edge(|point| point.0, f64::min)?, edge(|point| point.0, f64::max)?);
    let (low, high) = (edge(|point| point.1, f64::min)?, edge(|point| point.1, f64::max)?);
    let part = |value: f64, from: f64, to: f64| (value.max(1e-9).log10() - from) / (to - from).max(1e-9);
    let x = |value| 80.0 + part(value, left, right) * 560.0;
    let y = |value| HEIGHT - 60.0 - part(value, low, high) * (HEIGHT - 120.0);
    let mut svg = open(HEIGHT, title);
    for power in -6..=7 {
        let value = 10_f64.powi(power);
        if value.log10() >= low && value.log10() <= high {
            let at = y(value);
            let _ = writeln!(
                svg,
                "<line x1=\"80\" x2=\"640\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/><text x=\"72\" y=\"{at:.1}\" text-anchor=\"end\">{value}</text>"
            );
        }
        if value.log10() >= left && value.log10() <= right {
            let at = x(value);
            let _ = writeln!(
                svg,
                "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"60\" y2=\"460\" stroke=\"#ddd\"/><text x=\"{at:.1}\" y=\"478\" text-anchor=\"middle\">{value}</text>"
            );
        }
    }
    for (series, (colour, row)) in series.iter().zip(COLOURS.iter().cycle().zip(0_u8..)) {
        let path: Vec<String> =
            series.points.iter().map(|(across, up)| format!("{:.1},{:.1}", x(*across), y(*up))).collect();
        let at = 80.0 + 20.0 * f64::from(row);
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n\
             <text x=\"655\" y=\"{at:.0}\" fill=\"{colour}\">{}</text>",
            path.join(" "),
            escape(&series.name)
        );
        for (across, up) in &series.points {
            let _ = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                x(*across),
                y(*up)
            );
        }
    }
    let _ = writeln!(
        svg,
        "<text x=\"360\" y=\"505\" text-anchor=\"middle\">{across}</text><text x=\"12\" y=\"48\">{up}</text></svg>"
    );
    Some(svg)
}
