//! Processes with a wrong clock, through libfaketime (Debian package `faketime`).

use std::path::{Path, PathBuf};

use super::{Bridge, Need};

/// Returns the path of the library if it is installed.
fn library() -> Option<PathBuf> {
    let mut folders: Vec<_> =
        ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(PathBuf::from).into();
    for entry in std::fs::read_dir("/usr/lib").ok()?.flatten() {
        folders.push(entry.path());
    }
    let files = folders.into_iter().map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    files.into_iter().find(|file| file.exists())
}

impl Bridge {
    /// Shifts the wall clock by `offset`, such as `+1h` or `-1d`. Monotonic clocks stay correct, as on a
    /// machine with a wrong date. Returns `None` and prints why if libfaketime is not installed.
    pub fn with_clock(self, offset: &str) -> Option<Self> {
        Some(self.with_faketime()?.with("FAKETIME", offset))
    }

    /// Like [`Self::with_clock`], with the offset in a file that a test may change while the process runs.
    pub fn with_clock_offset_file(self, file: &Path) -> Option<Self> {
        let wrong = self.with_faketime()?.with("FAKETIME_TIMESTAMP_FILE", file.to_str()?);
        Some(wrong.with("FAKETIME_NO_CACHE", "1"))
    }

    fn with_faketime(self) -> Option<Self> {
        let Some(library) = library() else {
            let why = "a clock that is wrong needs libfaketime: apt-get install faketime";
            Need::Clocks.is_missing(why);
            return None;
        };
        let faked = self.with("LD_PRELOAD", library.to_str()?);
        Some(faked.with("FAKETIME_DONT_FAKE_MONOTONIC", "1"))
    }
}
