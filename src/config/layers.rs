//! The layers: embedded defaults, the file, the environment, merged by figment, which remembers
//! of each value which layer it came from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use figment::value::{Dict, Map, Tag};
use figment::{Figment, Metadata, Profile, Provider, Source};

use super::mistake::{Error, Origin};
use super::sources::{PREFIX, Sources};
use super::{DEFAULTS, toml_text};

/// What figment calls the layer of the environment.
const ENVIRONMENT: &str = "environment";

/// The merged layers, and what is needed to say where a value came from. Holds secrets.
pub(super) struct Layers {
    figment: Figment,
    file: Option<PathBuf>,
    lines: BTreeMap<String, usize>,
}

impl Layers {
    /// Reads all layers and lays them over one another.
    pub(super) fn stack(sources: &Sources) -> Result<Self, Error> {
        let mut mistakes = Vec::new();
        let file = sources.read_file().unwrap_or_else(|found| {
            mistakes.extend(found);
            None
        });
        let environment = sources.read_environment().unwrap_or_else(|found| {
            mistakes.extend(found);
            Dict::new()
        });
        if !mistakes.is_empty() {
            return Err(Error { mistakes });
        }

        let defaults = toml_text::parse(DEFAULTS).unwrap_or_default();
        let mut layers = Self { figment: Figment::new(), file: None, lines: BTreeMap::new() };
        layers.lay(Metadata::named("default"), defaults.values);
        if let Some((path, document)) = file {
            layers.lines = document.lines;
            layers.lay(Metadata::named("file").source(path.as_path()), document.values);
            layers.file = Some(path);
        }
        layers.lay(Metadata::named(ENVIRONMENT), environment);
        Ok(layers)
    }

    fn lay(&mut self, metadata: Metadata, values: Dict) {
        let below = std::mem::take(&mut self.figment);
        self.figment = below.merge(Layer { metadata, values });
    }

    /// The merged tree.
    pub(super) fn values(&self) -> Dict {
        let mut profiles = self.figment.data().unwrap_or_default();
        profiles.remove(&Profile::Default).unwrap_or_default()
    }

    /// Where the value at `path` came from.
    pub(super) fn origin(&self, path: &str, tag: Tag) -> Origin {
        match self.figment.get_metadata(tag) {
            Some(Metadata { source: Some(Source::File(file)), .. }) => {
                Origin::File(file.clone(), self.lines.get(path).copied())
            }
            Some(metadata) if metadata.name == ENVIRONMENT => Origin::Environment(variable(path)),
            _ => Origin::Default,
        }
    }

    /// Where the file has the table at `path`, whatever else adds to it.
    pub(super) fn place(&self, path: &str) -> Option<Origin> {
        let line = self.lines.get(path)?;
        self.file.clone().map(|file| Origin::File(file, Some(*line)))
    }
}

/// The variable that sets the key at `path`.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.to_uppercase().replace('.', "__"))
}

/// One layer, as figment takes it.
struct Layer {
    metadata: Metadata,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}
