//! The sources of the layers above the defaults: a file and the environment.
//!
//! Values from the environment stay strings until a key is read, so that an AppSecret that consists of
//! digits is not parsed as a number.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Value};

use super::mistake::{Mistake, Origin};
use super::toml_text::{self, Document};

/// Prefix of our environment variables.
pub(super) const PREFIX: &str = "UNIONID_BRIDGE__";

/// The file that is read if no other is given.
const DEFAULT_FILE: &str = "unionid-bridge.toml";

/// Maximum depth of a key: list, number, key.
const MAX_DEPTH: usize = 3;

/// The sources of the layers above the defaults. Contains secrets, hence no `Debug`.
#[derive(Clone, Default)]
pub struct Sources {
    file: File,
    environment: Vec<(OsString, OsString)>,
}

#[derive(Clone, Default)]
enum File {
    #[default]
    Absent,
    /// [`DEFAULT_FILE`] in the working directory; may be missing.
    InWorkingDirectory,
    Named(PathBuf),
    /// A name for messages, and the content.
    Text(PathBuf, String),
}

impl Sources {
    /// Uses the embedded defaults only.
    pub fn defaults() -> Self {
        Self::default()
    }

    /// Uses this process's environment over the `named` file. Without one, uses `unionid-bridge.toml` in
    /// the working directory if it exists.
    pub fn of_process(named: Option<PathBuf>) -> Self {
        let file = named.map_or(File::InWorkingDirectory, File::Named);
        let environment = std::env::vars_os().collect();
        Self { file, environment }
    }

    /// Uses `text` as the content of the file, which mistakes refer to by `name`.
    pub fn with_text(self, name: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let file = File::Text(name.into(), text.into());
        Self { file, ..self }
    }

    /// Uses these variables as the environment.
    pub fn with_environment<'a>(
        self,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let owned = |(name, value): (&str, &str)| (name.into(), value.into());
        let environment = variables.into_iter().map(owned).collect();
        Self { environment, ..self }
    }

    /// Returns the file's path and parsed content, if there is a file.
    pub(super) fn read_file(&self) -> Result<Option<(PathBuf, Document)>, Vec<Mistake>> {
        let (path, text) = match &self.file {
            File::Absent => return Ok(None),
            File::Text(name, text) => (name.as_path(), Ok(text.clone())),
            File::Named(path) => (path.as_path(), std::fs::read_to_string(path)),
            File::InWorkingDirectory => match std::fs::read_to_string(DEFAULT_FILE) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                text => (Path::new(DEFAULT_FILE), text),
            },
        };
        let mistake = |line, problem| layer_mistake(Origin::File(path.to_owned(), line), problem);
        let text = text.map_err(|error| vec![mistake(None, format!("cannot be read: {error}"))])?;
        let document = toml_text::parse(&text).map_err(|found| {
            let mistakes = found.into_iter();
            mistakes.map(|(line, problem)| mistake(Some(line), problem)).collect::<Vec<_>>()
        })?;
        Ok(Some((path.to_owned(), document)))
    }

    /// Returns our variables as nested tables. An empty variable counts as not set.
    pub(super) fn read_environment(&self) -> Result<Dict, Vec<Mistake>> {
        let mut values = Dict::new();
        let mut mistakes = Vec::new();
        for (name, value) in &self.environment {
            let name = name.to_string_lossy();
            let Some(keys) = name.strip_prefix(PREFIX) else {
                continue;
            };
            match value.to_str() {
                Some("") => {}
                Some(value) => {
                    let keys = keys.to_lowercase();
                    let keys: Vec<&str> = keys.splitn(MAX_DEPTH, "__").collect();
                    insert(&mut values, &keys, value);
                }
                None => {
                    let origin = Origin::Environment(name.clone().into_owned());
                    mistakes.push(layer_mistake(origin, "is not UTF-8".to_owned()));
                }
            }
        }
        if mistakes.is_empty() { Ok(values) } else { Err(mistakes) }
    }
}

/// Returns a mistake about a layer as a whole.
fn layer_mistake(origin: Origin, problem: String) -> Mistake {
    Mistake { key: String::new(), origin: Some(origin), problem, hint: None }
}

/// Sets the value under nested `keys`.
fn insert(values: &mut Dict, keys: &[&str], value: &str) {
    match keys {
        [] => {}
        [key] => {
            values.insert((*key).to_owned(), Value::from(value));
        }
        [key, rest @ ..] => {
            let inner = values.entry((*key).to_owned()).or_insert_with(|| Dict::new().into());
            if let Value::Dict(_, inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}
