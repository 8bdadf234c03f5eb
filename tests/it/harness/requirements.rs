//! Optional requirements of tests: a missing one skips tests with a message, or fails them if it is required.
//!
//! `TEST_REQUIRE` lists the required ones, separated by commas. `.ci/run` sets it.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// A requirement that a machine may not meet.
#[derive(Debug, Clone, Copy)]
pub enum Need {
    /// The URL of a PostgreSQL and of a MySQL/MariaDB server.
    Databases,
    /// The database server programs, for tests that start and kill their own server.
    Servers,
    /// libfaketime, for tests with a wrong clock.
    Clocks,
    /// Permission to mount a small file system, for tests that fill it.
    Disks,
}

impl Need {
    /// The name in `TEST_REQUIRE`.
    fn name(self) -> &'static str {
        match self {
            Self::Databases => "databases",
            Self::Servers => "servers",
            Self::Clocks => "clocks",
            Self::Disks => "disks",
        }
    }

    /// Prints once why tests are skipped.
    ///
    /// # Panics
    /// If `TEST_REQUIRE` contains this requirement.
    pub fn is_missing(self, why: &str) {
        let required = std::env::var("TEST_REQUIRE").unwrap_or_default();
        let is_required = required.split(',').any(|name| name.trim() == self.name());
        assert!(!is_required, "{why}, and TEST_REQUIRE names {}", self.name());
        print_once(&format!("LEFT OUT: {why}"));
    }
}

/// Prints a line once, bypassing the test harness's output capture.
pub(super) fn print_once(line: &str) {
    static PRINTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut printed = PRINTED.lock().unwrap_or_else(PoisonError::into_inner);
    if printed.insert(line.to_owned()) {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}
