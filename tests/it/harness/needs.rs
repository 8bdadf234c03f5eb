//! What some tests need of the machine: said aloud where it is missing, and a failure where it is required.
//!
//! `TEST_REQUIRE` names what must not be missing, with commas between: `.ci/run` sets it.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// What a machine may lack.
#[derive(Debug, Clone, Copy)]
pub enum Need {
    /// A URL of each kind of server.
    Databases,
    /// The servers' programs, for tests that kill a server of their own.
    Servers,
    /// libfaketime, for processes with a wrong clock.
    Clocks,
    /// The permission to mount a small file system, for tests that fill it.
    Disks,
}

impl Need {
    /// Its word in `TEST_REQUIRE`.
    fn word(self) -> &'static str {
        match self {
            Self::Databases => "databases",
            Self::Servers => "servers",
            Self::Clocks => "clocks",
            Self::Disks => "disks",
        }
    }

    /// Says once why tests are left out.
    ///
    /// # Panics
    /// Where they are required.
    pub fn is_missing(self, why: &str) {
        let required = std::env::var("TEST_REQUIRE").unwrap_or_default();
        let is_required = required.split(',').any(|word| word.trim() == self.word());
        assert!(!is_required, "{why}, and TEST_REQUIRE names {}", self.word());
        say_once(&format!("LEFT OUT: {why}"));
    }
}

/// Says it past the test harness's capture, so that it is seen.
pub(super) fn say_once(line: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.insert(line.to_owned()) {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}
