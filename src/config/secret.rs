//! Secrets of a section: in place, or in a file of their own.
//!
//! The value goes into a `SecretString` and nowhere else: what is shown, and what a rule finds
//! wrong, is said without it.

use std::path::PathBuf;

use figment::value::Value;
use secrecy::SecretString;
use serde_json::json;

use super::check;
use super::layers::variable;
use super::mistake::{Fault, Origin};
use super::section::{Found, Section};
use super::toml_text::{self, join};

/// Where a secret stands.
enum Given {
    InPlace(Found<Value>),
    /// What the file holds, under the place that named the file.
    File(Found<()>, String),
}

impl Section<'_> {
    /// A secret that has to be given, in place or as a file.
    pub(super) fn required_secret(
        &mut self,
        key: &str,
        shown: fn(&str) -> String,
        rule: impl FnOnce(&str) -> Result<(), Fault>,
    ) -> Option<SecretString> {
        if self.has(key) {
            return self.secret(key, shown, rule);
        }
        self.know(key.to_owned());
        self.know(file_key(key));
        let name = variable(&join(self.path(), key));
        let hint = format!("give {key} (or {name}), or {} with a path", file_key(key));
        self.mistake(key, Fault::new("is missing").hint(hint));
        None
    }

    /// A secret, in place or as a file; `shown` says of it what anybody may read.
    pub(super) fn secret(
        &mut self,
        key: &str,
        shown: fn(&str) -> String,
        rule: impl FnOnce(&str) -> Result<(), Fault>,
    ) -> Option<SecretString> {
        let found = match self.given(key)? {
            Given::InPlace(found) => match &found.value {
                Value::String(_, text) => {
                    let text = text.clone();
                    // A database's URL without a password is shown whole: it is no secret.
                    if shown(&text) != text {
                        self.keep_secret(&found);
                    }
                    found.with(text)
                }
                _ => return self.wrong_type(found, "a text"),
            },
            Given::File(found, text) => found.with(text),
        };
        self.show(&found, json!(shown(&found.value)));
        let verdict = rule(&found.value).map(|()| SecretString::from(found.value.as_str()));
        self.judge(found, verdict)
    }

    /// A list of secrets, in place or as a file with one a line.
    pub(super) fn secrets(
        &mut self,
        key: &str,
        rule: impl Fn(&str) -> Result<(), Fault>,
    ) -> Option<Vec<SecretString>> {
        let (found, texts) = match self.given(key)? {
            Given::InPlace(found) => match texts(&found) {
                Some(texts) => {
                    if !texts.is_empty() {
                        self.keep_secret(&found);
                    }
                    (found.with(()), texts)
                }
                None => return self.wrong_type(found, "a list of texts, [\"…\", \"…\"]"),
            },
            Given::File(found, text) => {
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                (found, lines.map(str::to_owned).collect())
            }
        };
        self.show(&found, json!(format!("({} set)", texts.len())));
        for (number, text) in texts.iter().enumerate() {
            if let Err(fault) = rule(text) {
                self.note(
                    join(&found.path, &number.to_string()),
                    Some(found.origin.clone()),
                    fault,
                );
            }
        }
        Some(texts.into_iter().map(SecretString::from).collect())
    }

    /// What is under `key`, or in the file that `key_file` names. Both is a mistake, the default
    /// aside.
    fn given(&mut self, key: &str) -> Option<Given> {
        let in_place = self.take(key);
        let Some(file) = self.take(&file_key(key)) else {
            return in_place.map(Given::InPlace);
        };
        if let Some(found) = in_place.filter(|found| found.origin != Origin::Default) {
            let problem = format!("is given twice: also as {} ({})", file.path, file.origin);
            let fault = Fault::new(problem).hint("keep one of the two");
            return self.judge(found, Err(fault));
        }
        let Value::String(_, path) = &file.value else {
            return self.wrong_type(file, "a path as text");
        };
        let path = PathBuf::from(path);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                self.keep_secret_file(&path);
                let text = text.trim_end_matches(['\r', '\n']).to_owned();
                let path = join(self.path(), key);
                Some(Given::File(Found { path, origin: file.origin, value: () }, text))
            }
            Err(error) => self.judge(file, Err(check::unreadable(&path, &error))),
        }
    }

    /// Whether a layer gives `key`, in place or as a file.
    pub(super) fn has(&self, key: &str) -> bool {
        self.contains(key) || self.contains(&file_key(key))
    }
}

/// The key that names a file with the value of `key`.
fn file_key(key: &str) -> String {
    format!("{key}_file")
}

/// The texts of a list; one from the environment is written as in TOML.
fn texts(found: &Found<Value>) -> Option<Vec<String>> {
    let written = match (&found.value, &found.origin) {
        (Value::String(_, text), Origin::Environment(_)) => toml_text::list(text)?,
        (value, _) => value.clone(),
    };
    let text = |value: Value| value.into_string();
    written.into_array()?.into_iter().map(text).collect()
}
