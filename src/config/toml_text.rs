//! Parses TOML into figment values, and records the line of every key.
//!
//! Errors contain only the parser's message and the line number: the parser's full text quotes the line,
//! which may contain a secret. A list of tables becomes a table keyed by index, so that the environment
//! can change one account of the file.

use std::collections::BTreeMap;

use figment::value::{Dict, Num, Tag, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The values of a TOML text, and their lines.
#[derive(Default)]
pub(super) struct Document {
    pub(super) values: Dict,
    /// Line number, from 1, by key path.
    pub(super) lines: BTreeMap<String, usize>,
}

/// Parses `text`. The error contains line number and problem of each syntax error.
pub(super) fn parse(text: &str) -> Result<Document, Vec<(usize, String)>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let mut converter = Converter { text, lines: BTreeMap::new() };
        let values = converter.table("", table.get_ref());
        return Ok(Document { values, lines: converter.lines });
    }
    // `Display` would quote the line, which may contain a secret.
    let line = |error: &toml::de::Error| line_of(text, error.span().map_or(0, |span| span.start));
    Err(errors.iter().map(|error| (line(error), problem(error))).collect())
}

/// Parses a TOML list on its own, as in an environment variable.
pub(super) fn list(text: &str) -> Option<Value> {
    let value = DeValue::parse(text).ok()?;
    let mut converter = Converter { text, lines: BTreeMap::new() };
    value.get_ref().is_array().then(|| converter.value("", &value))
}

fn problem(error: &toml::de::Error) -> String {
    format!("is not valid TOML: {}", error.message())
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Converts parsed TOML into figment values and records lines.
struct Converter<'t> {
    text: &'t str,
    lines: BTreeMap<String, usize>,
}

impl Converter<'_> {
    fn table(&mut self, path: &str, table: &DeTable<'_>) -> Dict {
        let mut values = Dict::new();
        for (key, value) in table {
            let inner = join(path, key.get_ref());
            self.lines.insert(inner.clone(), line_of(self.text, key.span().start));
            values.insert(key.get_ref().to_string(), self.value(&inner, value));
        }
        values
    }

    fn value(&mut self, path: &str, value: &Spanned<DeValue<'_>>) -> Value {
        match value.get_ref() {
            DeValue::String(text) => Value::from(text.as_ref()),
            DeValue::Boolean(flag) => Value::from(*flag),
            DeValue::Integer(number) => integer(number.as_str(), number.radix()),
            DeValue::Float(number) => match number.as_str().parse::<f64>() {
                Ok(number) => Value::Num(Tag::Default, Num::F64(number)),
                Err(_) => Value::from(number.as_str()),
            },
            DeValue::Datetime(moment) => Value::from(moment.to_string()),
            DeValue::Table(table) => self.table(path, table).into(),
            DeValue::Array(items) if !items.is_empty() && items.iter().all(is_table) => {
                self.numbered(path, items).into()
            }
            DeValue::Array(items) => {
                items.iter().map(|item| self.value(path, item)).collect::<Vec<_>>().into()
            }
        }
    }

    /// Converts a list of tables into a table keyed by index, which other layers can merge with.
    fn numbered(&mut self, path: &str, items: &[Spanned<DeValue<'_>>]) -> Dict {
        let mut values = Dict::new();
        for (index, item) in items.iter().enumerate() {
            let inner = join(path, &index.to_string());
            self.lines.insert(inner.clone(), line_of(self.text, item.span().start));
            values.insert(index.to_string(), self.value(&inner, item));
        }
        values
    }
}

fn is_table(value: &Spanned<DeValue<'_>>) -> bool {
    value.get_ref().is_table()
}

/// Converts an integer. One too large for 128 bits becomes a string, which no numeric key accepts.
fn integer(digits: &str, radix: u32) -> Value {
    match i128::from_str_radix(digits, radix) {
        Ok(number) => Value::Num(Tag::Default, Num::I128(number)),
        Err(_) => Value::from(digits),
    }
}

/// Appends `key` to `path`.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
