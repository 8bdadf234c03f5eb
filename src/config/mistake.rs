//! What is wrong with a configuration, in words that an operator can act on.
//!
//! Never holds a value that could be a secret: texts are quoted only for keys that hold none.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The embedded defaults.
    Default,
    /// A file, and the line where known.
    File(PathBuf, Option<usize>),
    /// An environment variable, by name.
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

/// One thing that is wrong, or for a warning, that is probably not wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// The key's path, such as `official_accounts.0.secret`; empty where it is about a whole layer.
    pub key: String,
    /// Where the value came from; `None` where there is no value.
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

/// The configuration cannot be used: every mistake found, in the order of the keys read.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.list())]
pub struct Error {
    /// At least one.
    pub mistakes: Vec<Mistake>,
}

impl Error {
    fn list(&self) -> String {
        let mut text = match self.mistakes.len() {
            1 => "the configuration has a mistake".to_owned(),
            many => format!("the configuration has {many} mistakes"),
        };
        for mistake in &self.mistakes {
            text.push('\n');
            text.push_str(&mistake.to_string());
        }
        text
    }
}

/// What a rule finds wrong with one value.
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

/// How alike two words must be for one to be a misspelling of the other.
const LIKENESS: f64 = 0.8;

/// Which of the `known` words was probably meant by `asked`.
pub(super) fn meant<'a>(asked: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let asked = asked.to_lowercase();
    let likeness = |word: &str| strsim::jaro_winkler(&asked, &word.to_lowercase());
    known
        .into_iter()
        .map(|word| (likeness(word), word))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}
