//! One table of the configuration, read key by key. Mistakes are recorded, and reading continues.
//!
//! A reading method returns `None` if the key is absent or invalid. In that case it has already recorded
//! the mistake, so the caller may ignore the value. `finish` reports every key that was not read as
//! unknown.

use std::path::Path;

use figment::value::{Dict, Num, Value};
use serde_json::Value as Json;

use super::layers::Layers;
use super::mistake::{Fault, Origin, most_similar};
use super::report::Report;
use super::toml_text::join;

/// One table.
pub(super) struct Section<'r> {
    layers: &'r Layers,
    report: &'r mut Report,
    path: String,
    origin: Option<Origin>,
    values: Dict,
    known: Vec<String>,
}

/// A value with its path and origin.
pub(super) struct Found<T> {
    pub(super) path: String,
    pub(super) origin: Origin,
    pub(super) value: T,
}

impl<T> Found<T> {
    pub(super) fn with<U>(self, value: U) -> Found<U> {
        Found { path: self.path, origin: self.origin, value }
    }
}

impl<'r> Section<'r> {
    /// Returns the root table.
    pub(super) fn root(layers: &'r Layers, report: &'r mut Report) -> Self {
        let values = layers.values();
        Self { layers, report, path: String::new(), origin: None, values, known: Vec::new() }
    }

    /// Returns the table under `key`, or an empty one.
    pub(super) fn section(&mut self, key: &str) -> Section<'_> {
        let (values, origin) = match self.take(key) {
            Some(Found { value: Value::Dict(_, values), path, .. }) => {
                (values, self.layers.position_in_file(&path))
            }
            Some(found) => {
                self.wrong_type::<()>(found, &format!("a section [{key}]"));
                (Dict::new(), None)
            }
            None => (Dict::new(), None),
        };
        self.inner(join(&self.path, key), values, origin)
    }

    /// Calls `read` for each table in the list under `key`, in order.
    pub(super) fn each<T>(
        &mut self,
        key: &str,
        mut read: impl FnMut(Section<'_>) -> Option<T>,
    ) -> Vec<T> {
        let found = match self.take(key) {
            None => return Vec::new(),
            Some(Found { value: Value::Array(_, items), .. }) if items.is_empty() => {
                return Vec::new();
            }
            Some(found) => found,
        };
        let Some(tables) = numbered(&found.value) else {
            self.wrong_type::<()>(found, &format!("a list whose entries start with [[{key}]]"));
            return Vec::new();
        };
        let mut entries = Vec::new();
        for (index, values) in tables {
            let path = join(&found.path, &index.to_string());
            let origin = self.layers.position_in_file(&path);
            entries.extend(read(self.inner(path, values, origin)));
        }
        entries
    }

    fn inner(&mut self, path: String, values: Dict, origin: Option<Origin>) -> Section<'_> {
        let known = Vec::new();
        Section { layers: self.layers, report: self.report, path, origin, values, known }
    }

    /// Records every key that was not read as unknown.
    pub(super) fn finish(mut self) {
        for (key, value) in std::mem::take(&mut self.values) {
            let path = join(&self.path, &key);
            let origin = self.origin_of_unknown(&path, &value);
            let hint = match most_similar(&key, self.known.iter().map(String::as_str)) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known keys: {}", self.known.join(", ")),
            };
            self.mistake_at(path, Some(origin), Fault::new("unknown key").hint(hint));
        }
    }

    /// Returns where an unknown key came from. For an environment variable with more levels than the key,
    /// this is the variable's whole name.
    fn origin_of_unknown(&self, path: &str, value: &Value) -> Origin {
        match (self.layers.origin(path, value.tag()), value) {
            (Origin::Environment(_), Value::Dict(_, inner)) if !inner.is_empty() => {
                let deeper = inner.iter().next();
                deeper.map_or(Origin::Default, |(key, value)| {
                    self.origin_of_unknown(&join(path, key), value)
                })
            }
            (origin, _) => origin,
        }
    }

    /// Returns the path of this table.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Records a mistake about this table's `key`, whether or not the key is present.
    pub(super) fn mistake(&mut self, key: &str, fault: Fault) {
        let path = join(&self.path, key);
        let origin = self.report.origin_of(&path).or_else(|| self.origin.clone());
        self.mistake_at(path, origin, fault);
    }

    /// Records something that is valid but probably unintended.
    pub(super) fn warn(&mut self, key: &str, fault: Fault) {
        self.report.warn(join(&self.path, key), fault);
    }

    /// Whether a layer sets `key`.
    pub(super) fn contains(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// Adds `key` to the known keys.
    pub(super) fn add_known(&mut self, key: String) {
        self.known.push(key);
    }

    /// Removes and returns the value under `key`.
    pub(super) fn take(&mut self, key: &str) -> Option<Found<Value>> {
        self.known.push(key.to_owned());
        let value = self.values.remove(key)?;
        let path = join(&self.path, key);
        let origin = self.layers.origin(&path, value.tag());
        Some(Found { path, origin, value })
    }

    /// Shows an optional key as not set, if no layer sets it.
    pub(super) fn show_unset(&mut self, key: &str) {
        if !self.has(key) {
            self.report.show(join(&self.path, key), Json::Null, Origin::Default);
        }
    }

    /// Returns the value, or records the fault as a mistake.
    pub(super) fn or_mistake<T, U>(
        &mut self,
        found: Found<U>,
        result: Result<T, Fault>,
    ) -> Option<T> {
        result.map_err(|fault| self.mistake_at(found.path, Some(found.origin), fault)).ok()
    }

    /// Records that a value has the wrong type.
    pub(super) fn wrong_type<T>(&mut self, found: Found<Value>, expected: &str) -> Option<T> {
        let problem = format!("must be {expected}, not {}", kind(&found.value));
        self.or_mistake(found, Err(Fault::new(problem)))
    }

    /// Shows a value that was read, redacted if it is a secret.
    pub(super) fn show<T>(&mut self, found: &Found<T>, value: Json) {
        self.report.show(found.path.clone(), value, found.origin.clone());
    }

    /// Records that the file of `found` contains a secret.
    pub(super) fn add_secret<T>(&mut self, found: &Found<T>) {
        if let Origin::File(file, _) = &found.origin {
            self.report.add_secret_file(file);
        }
    }

    /// Records a file that contains only a secret.
    pub(super) fn add_secret_file(&mut self, file: &Path) {
        self.report.add_secret_file(file);
    }

    /// Records a mistake about the key at a full path.
    pub(super) fn mistake_at(&mut self, key: String, origin: Option<Origin>, fault: Fault) {
        self.report.mistake(key, origin, fault);
    }
}

/// Returns the tables of a list in the order of their indexes.
fn numbered(list: &Value) -> Option<Vec<(usize, Dict)>> {
    let table = |(key, value): (&String, &Value)| match value {
        Value::Dict(_, values) => Some((key.parse().ok()?, values.clone())),
        _ => None,
    };
    let mut tables: Vec<_> = list.as_dict()?.iter().map(table).collect::<Option<_>>()?;
    tables.sort_by_key(|(index, _)| *index);
    Some(tables)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(..) | Value::Char(..) => "a string",
        Value::Bool(..) => "true or false",
        Value::Num(_, Num::F64(_)) => "a number with a fraction",
        Value::Num(..) => "a number",
        Value::Empty(..) => "nothing",
        Value::Dict(..) => "a table",
        Value::Array(..) => "a list",
    }
}
