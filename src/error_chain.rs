//! An error and its causes in one line, for logs, rows and the terminal.

use std::error::Error;

/// Joins an error and its causes with colons, leaving out causes whose text is already contained.
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&cause| cause.source());
    causes.map(ToString::to_string).fold(String::new(), |line, text| match line.as_str() {
        "" => text,
        _ if line.contains(&text) => line,
        _ => format!("{line}: {text}"),
    })
}
