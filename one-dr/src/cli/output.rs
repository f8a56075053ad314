//! Data on standard output: a table, or the same as JSON, CSV, YAML.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table as Drawn, presets};
use serde::Serialize;
use serde_json::Value;

use super::exit::Failure;

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
    Csv,
    Yaml,
}

/// Rows under heads.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) head: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// Prints data: the rows for people, the value for programs.
pub(crate) fn print(format: Format, table: &Table, value: &impl Serialize) -> Result<(), Failure> {
    let text = match format {
        Format::Table => drawn(table),
        Format::Csv => csv(table),
        Format::Json => serde_json::to_string_pretty(value)? + "\n",
        Format::Yaml => yaml(&serde_json::to_value(value)?),
    };
    out(&text)
}

/// Prints a line on standard error. A reader that has gone away (`2>&1 | head`) ends nothing: a run goes on without it.
pub(crate) fn to_stderr(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Prints a text on standard output. A reader that has gone away (`| head`) is no error.
pub(crate) fn out(text: &str) -> Result<(), Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn drawn(table: &Table) -> String {
    let mut drawn = Drawn::new();
    drawn.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    drawn.set_header(table.head.clone());
    for row in &table.rows {
        // What came from a front-end is printed as one line, whatever is in it.
        drawn.add_row(row.iter().map(|cell| plain(cell)));
    }
    let lines: Vec<String> = drawn.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}

/// Without control characters: a VM's name may hold any.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn csv(table: &Table) -> String {
    let cell = |text: &str| match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    };
    let line = |cells: Vec<String>| cells.join(",") + "\r\n";
    let mut text = line(table.head.iter().map(|head| cell(head)).collect());
    for row in &table.rows {
        text += &line(row.iter().map(|text| cell(text)).collect());
    }
    text
}

/// YAML of plain data. Texts are written as JSON writes them, which YAML reads as such.
fn yaml(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    text
}

fn block(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    let nested = |value: &Value| match value {
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => false,
    };
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let key = Value::String(key.clone());
                let _ = write!(text, "{indent}{key}:");
                if nested(value) {
                    text.push('\n');
                    block(value, depth + 1, text);
                } else {
                    let _ = writeln!(text, " {value}");
                }
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for value in list {
                if nested(value) {
                    let _ = writeln!(text, "{indent}-");
                    block(value, depth + 1, text);
                } else {
                    let _ = writeln!(text, "{indent}- {value}");
                }
            }
        }
        value => {
            let _ = writeln!(text, "{indent}{value}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Table, csv, drawn, yaml};

    fn table() -> Table {
        Table {
            head: vec!["VM", "NAME"],
            rows: vec![vec!["12".to_owned(), "a \"b\",\nc\u{1b}[2J".to_owned()]],
        }
    }

    #[test]
    fn a_hostile_name_neither_breaks_a_line_nor_reaches_the_terminal() {
        let text = drawn(&table());
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(!text.contains('\u{1b}'));
        assert!(csv(&table()).ends_with("12,\"a \"\"b\"\",\nc\u{1b}[2J\"\r\n"));
    }

    #[test]
    fn yaml_nests_and_keeps_texts_whole() {
        let value = json!({"a": [1, {"b": "x: y\n"}], "c": {}, "d": null});
        assert_eq!(yaml(&value), "\"a\":\n  - 1\n  -\n    \"b\": \"x: y\\n\"\n\"c\": {}\n\"d\": null\n");
    }
}
