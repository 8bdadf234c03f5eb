//! Collects settings, mistakes and warnings while the sections are read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::mistake::{Fault, Mistake, Origin};
use super::settings::Setting;

/// What was found so far.
#[derive(Default)]
pub(super) struct Report {
    pub(super) mistakes: Vec<Mistake>,
    pub(super) warnings: Vec<Mistake>,
    pub(super) settings: Vec<Setting>,
    pub(super) secret_files: BTreeSet<PathBuf>,
}

impl Report {
    /// Records a mistake.
    pub(super) fn mistake(&mut self, key: String, origin: Option<Origin>, fault: Fault) {
        self.mistakes.push(mistake(key, origin, fault));
    }

    /// Records something that is valid but probably unintended.
    pub(super) fn warn(&mut self, key: String, fault: Fault) {
        self.warnings.push(mistake(key, None, fault));
    }

    /// Records a value, redacted if it is secret.
    pub(super) fn show(&mut self, key: String, value: Value, origin: Origin) {
        self.settings.push(Setting { key, value, origin });
    }

    /// Records a file that contains a secret.
    pub(super) fn add_secret_file(&mut self, file: &Path) {
        self.secret_files.insert(file.to_owned());
    }

    /// Returns where a key that was already read came from.
    pub(super) fn origin_of(&self, key: &str) -> Option<Origin> {
        let setting = self.settings.iter().find(|setting| setting.key == key)?;
        Some(setting.origin.clone())
    }
}

fn mistake(key: String, origin: Option<Origin>, fault: Fault) -> Mistake {
    let Fault { problem, hint } = fault;
    Mistake { key, origin, problem, hint }
}
