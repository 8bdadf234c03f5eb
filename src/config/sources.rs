//! What the layers are made from: a file, and the environment.
//!
//! Whatever comes from the environment stays text until a key is read, so that an AppSecret made
//! of digits is not taken for a number.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Value};

use super::mistake::{Mistake, Origin};
use super::toml_text::{self, Document};

/// What every variable of ours begins with.
pub(super) const PREFIX: &str = "UNIONID_BRIDGE__";

/// The file that is read where no other is named.
const USUAL_FILE: &str = "unionid-bridge.toml";

/// How deep a key can lie: list, number, key.
const DEEPEST: usize = 3;

/// Where the layers above the defaults come from. Holds secrets, hence no `Debug`.
#[derive(Clone, Default)]
pub struct Sources {
    file: File,
    environment: Vec<(OsString, OsString)>,
}

#[derive(Clone, Default)]
enum File {
    #[default]
    Absent,
    /// In the working directory; may be missing.
    Usual,
    Named(PathBuf),
    /// A file's name and what is in it.
    Text(PathBuf, String),
}

impl Sources {
    /// Nothing above the embedded defaults.
    pub fn defaults() -> Self {
        Self::default()
    }

    /// This process's environment, over the `named` file or else `unionid-bridge.toml` in the
    /// working directory where there is one.
    pub fn of_process(named: Option<PathBuf>) -> Self {
        let file = named.map_or(File::Usual, File::Named);
        let environment = std::env::vars_os().collect();
        Self { file, environment }
    }

    /// Takes `text` for the file, and `name` for the name by which mistakes call it.
    pub fn with_text(self, name: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let file = File::Text(name.into(), text.into());
        Self { file, ..self }
    }

    /// Takes these variables for the environment.
    pub fn with_environment<'a>(
        self,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let own = |(name, value): (&str, &str)| (name.into(), value.into());
        let environment = variables.into_iter().map(own).collect();
        Self { environment, ..self }
    }

    /// The file's path and what it says, where there is a file.
    pub(super) fn read_file(&self) -> Result<Option<(PathBuf, Document)>, Vec<Mistake>> {
        let (path, text) = match &self.file {
            File::Absent => return Ok(None),
            File::Text(name, text) => (name.as_path(), Ok(text.clone())),
            File::Named(path) => (path.as_path(), std::fs::read_to_string(path)),
            File::Usual => match std::fs::read_to_string(USUAL_FILE) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                text => (Path::new(USUAL_FILE), text),
            },
        };
        let whole = |line, problem| whole(Origin::File(path.to_owned(), line), problem);
        let text = text.map_err(|error| vec![whole(None, format!("cannot be read: {error}"))])?;
        let document = toml_text::parse(&text).map_err(|found| {
            let mistakes = found.into_iter();
            mistakes.map(|(line, problem)| whole(Some(line), problem)).collect::<Vec<_>>()
        })?;
        Ok(Some((path.to_owned(), document)))
    }

    /// Our variables as nested tables. An empty one counts as not given.
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
                    let keys: Vec<&str> = keys.splitn(DEEPEST, "__").collect();
                    plant(&mut values, &keys, value);
                }
                None => {
                    let origin = Origin::Environment(name.clone().into_owned());
                    mistakes.push(whole(origin, "is not UTF-8".to_owned()));
                }
            }
        }
        if mistakes.is_empty() { Ok(values) } else { Err(mistakes) }
    }
}

/// A mistake about a layer as a whole.
fn whole(origin: Origin, problem: String) -> Mistake {
    Mistake { key: String::new(), origin: Some(origin), problem, hint: None }
}

/// Sets the value under nested `keys`.
fn plant(values: &mut Dict, keys: &[&str], value: &str) {
    match keys {
        [] => {}
        [key] => {
            values.insert((*key).to_owned(), Value::from(value));
        }
        [key, rest @ ..] => {
            let inner = values.entry((*key).to_owned()).or_insert_with(|| Dict::new().into());
            if let Value::Dict(_, inner) = inner {
                plant(inner, rest, value);
            }
        }
    }
}
