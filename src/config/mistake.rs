//! Mistakes in a configuration, with messages that an operator can act on.
//!
//! A message never contains a value that could be a secret: only values of non-secret keys are quoted.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The embedded defaults.
    Default,
    /// A file, and the line if known.
    File(PathBuf, Option<usize>),
    /// The environment variable with this name.
    Environment(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, None) => write!(f, "{}", path.display()),
            Self::File(path, Some(line)) => write!(f, "{} line {line}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Something wrong with the configuration, or in a warning, something that is probably unintended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// The key's path, such as `official_accounts.0.secret`; empty if it concerns a whole layer.
    pub key: String,
    /// Where the value came from; `None` if there is no value.
    pub origin: Option<Origin>,
    /// What is wrong, without a full stop.
    pub problem: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.key.as_str(), &self.origin) {
            ("", None) => {}
            ("", Some(origin)) => write!(f, "{origin}: ")?,
            (key, None) => write!(f, "{key}: ")?,
            (key, Some(origin)) => write!(f, "{key} ({origin}): ")?,
        }
        f.write_str(&self.problem)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// The configuration is invalid; contains every mistake, in the order in which keys are read.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.list())]
pub struct Error {
    /// At least one.
    pub mistakes: Vec<Mistake>,
}

impl Error {
    fn list(&self) -> String {
        let mut text = match self.mistakes.len() {
            1 => "the configuration has 1 mistake".to_owned(),
            many => format!("the configuration has {many} mistakes"),
        };
        for mistake in &self.mistakes {
            text.push('\n');
            text.push_str(&mistake.to_string());
        }
        text
    }
}

/// What is wrong with one value, as a rule reports it.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) problem: String,
    pub(super) hint: Option<String>,
}

impl Fault {
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Minimum Jaro-Winkler similarity for a suggestion.
const MIN_SIMILARITY: f64 = 0.8;

/// Returns the most similar of the `known` names, if one is similar enough to suggest.
pub(super) fn most_similar<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let given = given.to_lowercase();
    let similarity = |name: &str| strsim::jaro_winkler(&given, &name.to_lowercase());
    known
        .into_iter()
        .map(|name| (similarity(name), name))
        .filter(|(similarity, _)| *similarity >= MIN_SIMILARITY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
