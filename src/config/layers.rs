//! The layers: embedded defaults, the file, the environment, merged by figment.
//!
//! Two things are done by hand. A TOML error is reported by its message and place alone, since the
//! parser's own text quotes the line and with it perhaps a secret. Lists of tables become tables
//! with the index as key, so that the environment can change one account of the file; and what
//! comes from the environment stays text, so that an AppSecret of digits is not read as a number.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::mistake::{Error, Mistake, Origin};
use super::{DEFAULTS, toml_text};

/// What every variable of ours begins with.
pub(super) const PREFIX: &str = "UNIONID_BRIDGE__";

/// The file that is read where no other is named.
const USUAL_FILE: &str = "unionid-bridge.toml";

/// Where the layers above the defaults come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    file: File,
    environment: Vec<(OsString, OsString)>,
}

#[derive(Debug, Clone, Default)]
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
        Self {
            file,
            environment: std::env::vars_os().collect(),
        }
    }

    /// Takes `text` for the file, and `name` for the name by which mistakes call it.
    pub fn with_text(self, name: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self {
            file: File::Text(name.into(), text.into()),
            ..self
        }
    }

    /// Takes these variables for the environment.
    pub fn with_environment<'a>(
        self,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let own = |(name, value): (&str, &str)| (name.into(), value.into());
        Self {
            environment: variables.into_iter().map(own).collect(),
            ..self
        }
    }
}

/// The merged layers, and what is needed to say where a value came from.
#[derive(Debug)]
pub(super) struct Layers {
    figment: Figment,
    lines: BTreeMap<String, usize>,
}

impl Layers {
    /// Reads all layers and lays them over one another.
    pub(super) fn stack(sources: &Sources) -> Result<Self, Error> {
        let mut mistakes = Vec::new();
        let defaults = toml_text::parse(DEFAULTS).unwrap_or_default();
        let mut figment = Figment::from(Layer::new(Metadata::named("default"), defaults.values));
        let mut lines = BTreeMap::new();

        match read_file(&sources.file) {
            Ok(Some((path, document))) => {
                lines = document.lines;
                let metadata = Metadata::named("file").source(path.as_path());
                figment = figment.merge(Layer::new(metadata, document.values));
            }
            Ok(None) => {}
            Err(mut found) => mistakes.append(&mut found),
        }
        let environment = read_environment(&sources.environment, &mut mistakes);
        figment = figment.merge(Layer::new(Metadata::named("environment"), environment));

        if mistakes.is_empty() {
            Ok(Self { figment, lines })
        } else {
            Err(Error { mistakes })
        }
    }

    /// The merged tree.
    pub(super) fn values(&self) -> Dict {
        let mut profiles = self.figment.data().unwrap_or_default();
        profiles.remove(&Profile::Default).unwrap_or_default()
    }

    /// Where the value at `path` came from.
    pub(super) fn origin(&self, path: &str, tag: Tag) -> Origin {
        let metadata = self.figment.get_metadata(tag);
        let file = metadata.and_then(|found| found.source.as_ref()?.file_path());
        match (file, metadata) {
            (Some(file), _) => Origin::File(file.to_owned(), self.lines.get(path).copied()),
            (None, Some(metadata)) if metadata.name == "environment" => {
                Origin::Environment(variable(path))
            }
            _ => Origin::Default,
        }
    }
}

/// The variable that sets the key at `path`.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.to_uppercase().replace('.', "__"))
}

fn read_file(file: &File) -> Result<Option<(PathBuf, toml_text::Document)>, Vec<Mistake>> {
    let (path, text) = match file {
        File::Absent => return Ok(None),
        File::Text(name, text) => (name.as_path(), Ok(text.clone())),
        File::Named(path) => (path.as_path(), std::fs::read_to_string(path)),
        File::Usual => match std::fs::read_to_string(USUAL_FILE) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => (Path::new(USUAL_FILE), text),
        },
    };
    let text = text.map_err(|error| {
        let origin = Origin::File(path.to_owned(), None);
        vec![whole(origin, format!("cannot be read: {error}"))]
    })?;
    let document = toml_text::parse(&text).map_err(|found| {
        let mistake = |(line, problem)| whole(Origin::File(path.to_owned(), Some(line)), problem);
        found.into_iter().map(mistake).collect::<Vec<_>>()
    })?;
    Ok(Some((path.to_owned(), document)))
}

/// A mistake about a layer as a whole.
fn whole(origin: Origin, problem: String) -> Mistake {
    Mistake {
        key: String::new(),
        origin: Some(origin),
        problem,
        hint: None,
    }
}

fn read_environment(variables: &[(OsString, OsString)], mistakes: &mut Vec<Mistake>) -> Dict {
    let mut values = Dict::new();
    for (name, value) in variables {
        let Some(keys) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
            continue;
        };
        let Some(value) = value.to_str() else {
            let origin = Origin::Environment(name.to_string_lossy().into_owned());
            mistakes.push(whole(origin, "is not UTF-8".to_owned()));
            continue;
        };
        if !value.is_empty() {
            let keys = keys.to_lowercase();
            // Three deep is the deepest key there is; what goes on is an unknown key, not a recursion.
            let keys: Vec<&str> = keys.splitn(3, "__").collect();
            plant(&mut values, &keys, value);
        }
    }
    values
}

/// Sets the value under nested `keys`.
fn plant(values: &mut Dict, keys: &[&str], value: &str) {
    match keys {
        [] => {}
        [key] => {
            values.insert((*key).to_owned(), Value::from(value));
        }
        [key, rest @ ..] => {
            let inner = values
                .entry((*key).to_owned())
                .or_insert_with(|| Dict::new().into());
            if let Value::Dict(_, inner) = inner {
                plant(inner, rest, value);
            }
        }
    }
}

/// One layer, as figment takes it.
struct Layer {
    metadata: Metadata,
    values: Dict,
}

impl Layer {
    fn new(metadata: Metadata, values: Dict) -> Self {
        Self { metadata, values }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}
