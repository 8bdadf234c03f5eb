//! One table of the configuration, read key by key while mistakes are noted and reading goes on.
//!
//! A reading method gives `None` where the key is absent or wrong; what is wrong has then been
//! noted, so the caller may drop the value. A key that nobody asked for is unknown at `finish`.

use std::path::Path;

use figment::value::{Dict, Num, Value};
use serde_json::Value as Json;

use super::layers::Layers;
use super::mistake::{Fault, Origin, meant};
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

/// A value with its place.
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
    /// The outermost table.
    pub(super) fn root(layers: &'r Layers, report: &'r mut Report) -> Self {
        let values = layers.values();
        Self { layers, report, path: String::new(), origin: None, values, known: Vec::new() }
    }

    /// The table under `key`; an empty one where there is none.
    pub(super) fn section(&mut self, key: &str) -> Section<'_> {
        let (values, origin) = match self.take(key) {
            Some(Found { value: Value::Dict(_, values), path, .. }) => {
                (values, self.layers.place(&path))
            }
            Some(found) => {
                self.wrong_type::<()>(found, &format!("a section [{key}]"));
                (Dict::new(), None)
            }
            None => (Dict::new(), None),
        };
        self.inner(join(&self.path, key), values, origin)
    }

    /// The tables of the list under `key`, in order, each given to `read`.
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
            self.wrong_type::<()>(found, &format!("a list, each entry headed [[{key}]]"));
            return Vec::new();
        };
        let mut entries = Vec::new();
        for (index, values) in tables {
            let path = join(&found.path, &index.to_string());
            let origin = self.layers.place(&path);
            entries.extend(read(self.inner(path, values, origin)));
        }
        entries
    }

    fn inner(&mut self, path: String, values: Dict, origin: Option<Origin>) -> Section<'_> {
        let known = Vec::new();
        Section { layers: self.layers, report: self.report, path, origin, values, known }
    }

    /// Notes every key that nobody asked for.
    pub(super) fn finish(mut self) {
        for (key, value) in std::mem::take(&mut self.values) {
            let path = join(&self.path, &key);
            let origin = self.origin_of_unknown(&path, &value);
            let hint = match meant(&key, self.known.iter().map(String::as_str)) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("known here: {}", self.known.join(", ")),
            };
            self.note(path, Some(origin), Fault::new("unknown key").hint(hint));
        }
    }

    /// Where an unknown key came from; of a variable the whole name, also where it goes deeper.
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

    /// Where this table is.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Notes a mistake about this table's `key`, whether it is there or not.
    pub(super) fn mistake(&mut self, key: &str, fault: Fault) {
        let path = join(&self.path, key);
        let origin = self.report.origin_of(&path).or_else(|| self.origin.clone());
        self.note(path, origin, fault);
    }

    /// Notes what is legal but probably not wanted.
    pub(super) fn warn(&mut self, key: &str, fault: Fault) {
        self.report.warn(join(&self.path, key), fault);
    }

    /// Whether a layer gives `key`.
    pub(super) fn contains(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// Counts `key` among the known ones.
    pub(super) fn know(&mut self, key: String) {
        self.known.push(key);
    }

    /// Takes what is under `key`.
    pub(super) fn take(&mut self, key: &str) -> Option<Found<Value>> {
        self.known.push(key.to_owned());
        let value = self.values.remove(key)?;
        let path = join(&self.path, key);
        let origin = self.layers.origin(&path, value.tag());
        Some(Found { path, origin, value })
    }

    /// Shows an optional key that no layer gives.
    pub(super) fn show_unset(&mut self, key: &str) {
        if !self.has(key) {
            self.report.show(join(&self.path, key), Json::Null, Origin::Default);
        }
    }

    /// The value, or the fault noted.
    pub(super) fn judge<T, U>(&mut self, found: Found<U>, verdict: Result<T, Fault>) -> Option<T> {
        verdict.map_err(|fault| self.note(found.path, Some(found.origin), fault)).ok()
    }

    pub(super) fn wrong_type<T>(&mut self, found: Found<Value>, expected: &str) -> Option<T> {
        let problem = format!("must be {expected}, not {}", kind(&found.value));
        self.judge(found, Err(Fault::new(problem)))
    }

    /// Shows a value that was read, redacted where it is a secret.
    pub(super) fn show<T>(&mut self, found: &Found<T>, value: Json) {
        self.report.show(found.path.clone(), value, found.origin.clone());
    }

    /// Notes that a secret stands where `found` does.
    pub(super) fn keep_secret<T>(&mut self, found: &Found<T>) {
        if let Origin::File(file, _) = &found.origin {
            self.report.keep_secret(file);
        }
    }

    /// Notes a file that holds nothing but a secret.
    pub(super) fn keep_secret_file(&mut self, file: &Path) {
        self.report.keep_secret(file);
    }

    pub(super) fn note(&mut self, key: String, origin: Option<Origin>, fault: Fault) {
        self.report.note(key, origin, fault);
    }
}

/// The tables of a list in the order of their indexes.
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
        Value::String(..) | Value::Char(..) => "a text",
        Value::Bool(..) => "true or false",
        Value::Num(_, Num::F64(_)) => "a number with a fraction",
        Value::Num(..) => "a number",
        Value::Empty(..) => "nothing",
        Value::Dict(..) => "a table",
        Value::Array(..) => "a list",
    }
}
