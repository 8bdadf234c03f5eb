//! What reading has found so far: settings, mistakes, warnings.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::mistake::{Fault, Mistake, Origin};
use super::settings::Setting;

/// Filled while the sections are read.
#[derive(Default)]
pub(super) struct Report {
    pub(super) mistakes: Vec<Mistake>,
    pub(super) warnings: Vec<Mistake>,
    pub(super) settings: Vec<Setting>,
    pub(super) secret_files: BTreeSet<PathBuf>,
}

impl Report {
    /// Notes a mistake.
    pub(super) fn note(&mut self, key: String, origin: Option<Origin>, fault: Fault) {
        self.mistakes.push(mistake(key, origin, fault));
    }

    /// Notes what is legal but probably not wanted.
    pub(super) fn warn(&mut self, key: String, fault: Fault) {
        self.warnings.push(mistake(key, None, fault));
    }

    /// Notes a value as it may be shown.
    pub(super) fn show(&mut self, key: String, value: Value, origin: Origin) {
        self.settings.push(Setting { key, value, origin });
    }

    /// Notes a file that holds a secret.
    pub(super) fn keep_secret(&mut self, file: &Path) {
        self.secret_files.insert(file.to_owned());
    }

    /// Where a key that was read came from.
    pub(super) fn origin_of(&self, key: &str) -> Option<Origin> {
        let setting = self.settings.iter().find(|setting| setting.key == key)?;
        Some(setting.origin.clone())
    }
}

fn mistake(key: String, origin: Option<Origin>, fault: Fault) -> Mistake {
    let Fault { problem, hint } = fault;
    Mistake { key, origin, problem, hint }
}
