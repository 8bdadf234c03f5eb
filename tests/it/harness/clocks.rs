//! Processes whose clocks are wrong, by libfaketime (Debian's package `faketime`).

use std::path::{Path, PathBuf};

use super::{Bridge, Need};

/// Where the library is, if it is installed.
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
    /// With a clock that is off by `off`, such as `+1h` or `-1d`; steady clocks are left alone, as on a
    /// machine whose date was set wrongly. `None` where that cannot be done, which is said aloud.
    pub fn with_clock(self, off: &str) -> Option<Self> {
        Some(self.with_faketime()?.with("FAKETIME", off))
    }

    /// The same, off by what a file says, which may be written again while the process runs.
    pub fn with_clock_of(self, file: &Path) -> Option<Self> {
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
