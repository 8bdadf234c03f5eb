//! Where commands print: data to stdout, talk to stderr.

use std::fmt::Display;
use std::io::Write;

use serde::Serialize;

/// Prints a line of data. A closed pipe (`| head`) is no failure of ours.
pub(super) fn data(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a value as JSON, indented for people.
pub(super) fn json(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => data(text),
        Err(error) => talk(format_args!("error: cannot print the answer: {error}")),
    }
}

/// Says something to the person at the terminal.
pub(super) fn talk(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints rows under a heading, columns as wide as they need.
pub(super) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([heading[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    data(line(heading));
    for row in rows {
        data(line(std::array::from_fn(|column| row[column].as_str())));
    }
}
