//! Reads the secrets of a section, given in place or in a file of their own.
//!
//! The value goes into a `SecretString` and nowhere else: settings and mistakes never contain it.

use std::path::PathBuf;

use figment::value::Value;
use secrecy::SecretString;
use serde_json::json;

use super::check;
use super::layers::variable;
use super::mistake::{Fault, Origin};
use super::section::{Found, Section};
use super::toml_text::{self, join};

/// How a secret is given.
enum Given {
    InPlace(Found<Value>),
    /// The content of the file, with the origin of the key that names the file.
    File(Found<()>, String),
}

impl Section<'_> {
    /// Reads a required secret, given in place or as a file.
    pub(super) fn required_secret(
        &mut self,
        key: &str,
        redact: fn(&str) -> String,
        rule: impl FnOnce(&str) -> Result<(), Fault>,
    ) -> Option<SecretString> {
        if self.has(key) {
            return self.secret(key, redact, rule);
        }
        self.add_known(key.to_owned());
        self.add_known(file_key(key));
        let name = variable(&join(self.path(), key));
        let hint = format!("set {key} (or {name}), or set {} to a path", file_key(key));
        self.mistake(key, Fault::new("is missing").hint(hint));
        None
    }

    /// Reads a secret, given in place or as a file. `redact` turns it into the text to show.
    pub(super) fn secret(
        &mut self,
        key: &str,
        redact: fn(&str) -> String,
        rule: impl FnOnce(&str) -> Result<(), Fault>,
    ) -> Option<SecretString> {
        let found = match self.given(key)? {
            Given::InPlace(found) => match &found.value {
                Value::String(_, text) => {
                    let text = text.clone();
                    // A database URL without a password is shown unchanged and is not a secret.
                    if redact(&text) != text {
                        self.add_secret(&found);
                    }
                    found.with(text)
                }
                _ => return self.wrong_type(found, "a string"),
            },
            Given::File(found, text) => found.with(text),
        };
        self.show(&found, json!(redact(&found.value)));
        let result = rule(&found.value).map(|()| SecretString::from(found.value.as_str()));
        self.or_mistake(found, result)
    }

    /// Reads a list of secrets, given in place or as a file with one secret per line.
    pub(super) fn secrets(
        &mut self,
        key: &str,
        rule: impl Fn(&str) -> Result<(), Fault>,
    ) -> Option<Vec<SecretString>> {
        let (found, texts) = match self.given(key)? {
            Given::InPlace(found) => match texts(&found) {
                Some(texts) => {
                    if !texts.is_empty() {
                        self.add_secret(&found);
                    }
                    (found.with(()), texts)
                }
                None => return self.wrong_type(found, "a list of strings, [\"…\", \"…\"]"),
            },
            Given::File(found, text) => {
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                (found, lines.map(str::to_owned).collect())
            }
        };
        self.show(&found, json!(format!("({} set)", texts.len())));
        for (number, text) in texts.iter().enumerate() {
            if let Err(fault) = rule(text) {
                self.mistake_at(
                    join(&found.path, &number.to_string()),
                    Some(found.origin.clone()),
                    fault,
                );
            }
        }
        Some(texts.into_iter().map(SecretString::from).collect())
    }

    /// Returns the value of `key`, or the content of the file that `key_file` names. Giving both is a
    /// mistake, unless `key` only has its default.
    fn given(&mut self, key: &str) -> Option<Given> {
        let in_place = self.take(key);
        let Some(file) = self.take(&file_key(key)) else {
            return in_place.map(Given::InPlace);
        };
        if let Some(found) = in_place.filter(|found| found.origin != Origin::Default) {
            let problem = format!("is set twice: also by {} ({})", file.path, file.origin);
            let fault = Fault::new(problem).hint("remove one of them");
            return self.or_mistake(found, Err(fault));
        }
        let Value::String(_, path) = &file.value else {
            return self.wrong_type(file, "a path as a string");
        };
        let path = PathBuf::from(path);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                self.add_secret_file(&path);
                let text = text.trim_end_matches(['\r', '\n']).to_owned();
                let path = join(self.path(), key);
                Some(Given::File(Found { path, origin: file.origin, value: () }, text))
            }
            Err(error) => self.or_mistake(file, Err(check::unreadable(&path, &error))),
        }
    }

    /// Whether a layer sets `key`, in place or as a file.
    pub(super) fn has(&self, key: &str) -> bool {
        self.contains(key) || self.contains(&file_key(key))
    }
}

/// Returns the key that names a file with the value of `key`.
fn file_key(key: &str) -> String {
    format!("{key}_file")
}

/// Returns the texts of a list. In the environment, a list is written as in TOML.
fn texts(found: &Found<Value>) -> Option<Vec<String>> {
    let list = match (&found.value, &found.origin) {
        (Value::String(_, text), Origin::Environment(_)) => toml_text::list(text)?,
        (value, _) => value.clone(),
    };
    let text = |value: Value| value.into_string();
    list.into_array()?.into_iter().map(text).collect()
}
