//! Merges the layers: embedded defaults, the file, the environment. figment does the merging and records
//! which layer each value came from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use figment::value::{Dict, Map, Tag};
use figment::{Figment, Metadata, Profile, Provider, Source};

use super::mistake::{Error, Origin};
use super::sources::{PREFIX, Sources};
use super::{DEFAULTS, toml_text};

/// The name of the environment's layer in figment.
const ENVIRONMENT: &str = "environment";

/// The merged layers, with the origin of each value. Contains secrets.
pub(super) struct Layers {
    figment: Figment,
    file: Option<PathBuf>,
    lines: BTreeMap<String, usize>,
}

impl Layers {
    /// Reads and merges all layers.
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
        layers.add(Metadata::named("default"), defaults.values);
        if let Some((path, document)) = file {
            layers.lines = document.lines;
            layers.add(Metadata::named("file").source(path.as_path()), document.values);
            layers.file = Some(path);
        }
        layers.add(Metadata::named(ENVIRONMENT), environment);
        Ok(layers)
    }

    /// Puts a layer on top.
    fn add(&mut self, metadata: Metadata, values: Dict) {
        let lower = std::mem::take(&mut self.figment);
        self.figment = lower.merge(Layer { metadata, values });
    }

    /// Returns the merged tree.
    pub(super) fn values(&self) -> Dict {
        let mut profiles = self.figment.data().unwrap_or_default();
        profiles.remove(&Profile::Default).unwrap_or_default()
    }

    /// Returns where the value at `path` came from.
    pub(super) fn origin(&self, path: &str, tag: Tag) -> Origin {
        match self.figment.get_metadata(tag) {
            Some(Metadata { source: Some(Source::File(file)), .. }) => {
                Origin::File(file.clone(), self.lines.get(path).copied())
            }
            Some(metadata) if metadata.name == ENVIRONMENT => Origin::Environment(variable(path)),
            _ => Origin::Default,
        }
    }

    /// Returns where the table at `path` is in the file, even if other layers add to the table.
    pub(super) fn position_in_file(&self, path: &str) -> Option<Origin> {
        let line = self.lines.get(path)?;
        self.file.clone().map(|file| Origin::File(file, Some(*line)))
    }
}

/// Returns the name of the environment variable that sets the key at `path`.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.to_uppercase().replace('.', "__"))
}

/// One layer, in the form that figment takes.
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
