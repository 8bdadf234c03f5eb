//! Output of commands: data to stdout, messages to stderr.

use std::fmt::Display;
use std::io::Write;

use serde::Serialize;

/// Prints a line of data. Ignores a closed pipe (`| head`).
pub(super) fn data(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a value as indented JSON.
pub(super) fn json(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => data(text),
        Err(error) => message(format_args!("error: cannot print the result as JSON: {error}")),
    }
}

/// Prints a message for the person at the terminal.
pub(super) fn message(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints rows under a heading, with each column as wide as its longest cell.
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
