//! What `config show` prints: every key with its value and origin; secrets are redacted.

use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;

use super::mistake::Origin;

/// One key with its value and origin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// The key's path, such as `sync.concurrency` or `official_accounts.0.secret`.
    pub key: String,
    /// The value; `null` for an optional key that is not set, a description for a secret.
    pub value: Value,
    /// Where the value came from.
    pub origin: Origin,
}

/// Every key, in the order of the sections. Serialized as a list of `{key, value, origin}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Settings(pub Vec<Setting>);

impl Settings {
    /// Formats a table with the columns key, value and origin.
    pub fn to_table(&self) -> String {
        let rows: Vec<_> =
            self.0.iter().map(|row| (&row.key, shown(&row.value), &row.origin)).collect();
        let keys = rows.iter().map(|(key, ..)| key.chars().count()).max().unwrap_or(0);
        let values = rows.iter().map(|(_, value, _)| value.chars().count()).max().unwrap_or(0);
        let mut table = String::new();
        for (key, value, origin) in rows {
            // Writing to a String cannot fail.
            let _ = writeln!(table, "{key:keys$}  {value:values$}  {origin}");
        }
        table
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "(not set)".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Returns a description of a secret: that it is set, and its length.
pub(super) fn redact(secret: &str) -> String {
    format!("(set, {} characters)", secret.chars().count())
}
