//! Checks the configuration, the permissions of its files, and settings that deserve a hint.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::{Check, Name};
use crate::config::{self, Config, Loaded, Mistake};

/// The mode bits that give group and others access to a file.
const OTHERS: u32 = 0o077;

pub(super) fn examine(loaded: &Result<Loaded, config::Error>) -> Vec<Check> {
    match loaded {
        Ok(loaded) => examine_loaded(loaded),
        Err(error) => error.mistakes.iter().map(mistake).collect(),
    }
}

fn examine_loaded(loaded: &Loaded) -> Vec<Check> {
    let mut checks: Vec<_> = loaded.warnings.iter().map(warning).collect();
    if checks.is_empty() {
        let keys = loaded.settings.0.len();
        checks.push(Check::ok(Name::Configuration, format!("{keys} settings, no mistakes")));
    }
    checks.extend(file_permissions(&loaded.secret_files));
    checks.push(encryption_keys(&loaded.config));
    checks.push(http_listen(&loaded.config));
    checks
}

fn mistake(found: &Mistake) -> Check {
    let hint =
        "`unionid-bridge config check` reports every mistake, `config default` documents every key";
    let hint = found.hint.as_deref().unwrap_or(hint);
    about(Check::fail(Name::Configuration, problem(found), hint), found)
}

fn warning(found: &Mistake) -> Check {
    let hint =
        found.hint.as_deref().unwrap_or("`unionid-bridge config show` prints where it is set");
    about(Check::warn(Name::Configuration, problem(found), hint), found)
}

fn problem(found: &Mistake) -> String {
    match &found.origin {
        Some(origin) => format!("{} ({origin})", found.problem),
        None => found.problem.clone(),
    }
}

fn about(check: Check, found: &Mistake) -> Check {
    if found.key.is_empty() { check } else { check.about(&found.key) }
}

fn file_permissions(files: &BTreeSet<PathBuf>) -> Vec<Check> {
    let open: Vec<_> = files.iter().filter_map(|path| open_to_others(path)).collect();
    if !open.is_empty() {
        return open;
    }
    let detail = match files.len() {
        0 => return vec![Check::ok(Name::FilePermissions, "no secret is in a file")],
        1 => "the file with secrets is accessible to its owner only".to_owned(),
        many => format!("the {many} files with secrets are accessible to their owner only"),
    };
    vec![Check::ok(Name::FilePermissions, detail)]
}

fn open_to_others(path: &Path) -> Option<Check> {
    use std::os::unix::fs::PermissionsExt;
    let name = Name::FilePermissions;
    let shown = path.display();
    let check = match std::fs::metadata(path) {
        Ok(found) if found.permissions().mode() & OTHERS == 0 => return None,
        Ok(found) => {
            let mode = found.permissions().mode() & 0o777;
            let detail =
                format!("contains secrets, but not only its owner has access (mode {mode:o})");
            let hint = format!(
                "run chmod 600 {shown}; for a mounted secret, set the mode where it is mounted"
            );
            Check::warn(name, detail, hint)
        }
        Err(error) => {
            let hint = "check that the path exists and that this process's user may access it";
            Check::warn(name, format!("cannot be checked: {error}"), hint)
        }
    };
    Some(check.about(shown))
}

fn encryption_keys(config: &Config) -> Check {
    let name = Name::EncryptionKeys;
    match config.security.encryption_keys.len() {
        0 if config.database.url.expose_secret().starts_with("sqlite:") => {
            let detail = "none configured: data is encrypted with keys derived from the AppSecrets";
            Check::ok(name, detail)
        }
        0 => Check::warn(
            name,
            "none configured, although several processes can share this database: data is encrypted \
             with keys derived from the AppSecrets, and is lost when an AppSecret changes",
            "set security.encryption_keys to the same keys in every process; create one with: openssl \
             rand -base64 32",
        ),
        1 => Check::ok(name, "1 key"),
        many => Check::ok(name, format!("{many} keys: the first encrypts, all decrypt")),
    }
}

fn http_listen(config: &Config) -> Check {
    let address = config.http.listen;
    let check = |detail: String| Check::ok(Name::HttpListen, detail);
    if address.ip().is_loopback() {
        return check(format!("{address}, reachable from this machine only"));
    }
    let reach = match address.ip().is_unspecified() {
        true => "reachable from every network of this machine",
        false => "reachable from other machines",
    };
    check(format!("{address}, {reach}")).with_hint(
        "allow access only through a TLS proxy: `serve` sends API keys and data unencrypted",
    )
}
