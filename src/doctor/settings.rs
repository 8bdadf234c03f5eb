//! The configuration, the files it is read from, and what in it is legal but asks for a word.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::{Check, Name};
use crate::config::{self, Config, Loaded, Mistake};

/// What others may do with a file, as bits of its mode.
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
        checks.push(Check::ok(Name::Configuration, format!("no mistake in {keys} keys")));
    }
    checks.extend(file_permissions(&loaded.secret_files));
    checks.push(encryption_keys(&loaded.config));
    checks.push(http_listen(&loaded.config));
    checks
}

fn mistake(found: &Mistake) -> Check {
    let hint = "`unionid-bridge config check` lists every mistake, `config default` every key";
    let hint = found.hint.as_deref().unwrap_or(hint);
    about(Check::fail(Name::Configuration, problem(found), hint), found)
}

fn warning(found: &Mistake) -> Check {
    let hint = found.hint.as_deref().unwrap_or("`unionid-bridge config show` says where it is set");
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
        0 => return vec![Check::ok(Name::FilePermissions, "no secret stands in a file")],
        1 => "the file with secrets in it is its owner's alone".to_owned(),
        many => format!("the {many} files with secrets in them are their owner's alone"),
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
                format!("it holds secrets, and others than its owner have it open ({mode:o})");
            let hint = format!(
                "chmod 600 {shown}; for a mounted secret, set its mode where it is mounted"
            );
            Check::warn(name, detail, hint)
        }
        Err(error) => {
            let hint = "does the path still exist, and may this process's user look at it?";
            Check::warn(name, format!("cannot be looked at: {error}"), hint)
        }
    };
    Some(check.about(shown))
}

fn encryption_keys(config: &Config) -> Check {
    let name = Name::EncryptionKeys;
    match config.security.encryption_keys.len() {
        0 if config.database.url.expose_secret().starts_with("sqlite:") => {
            let detail = "none: entries are encrypted under keys derived from the AppSecrets";
            Check::ok(name, detail)
        }
        0 => Check::warn(
            name,
            "none, although several processes can share this database: entries are encrypted under \
             keys derived from the AppSecrets, and are lost where one of these changes",
            "set security.encryption_keys to the same for every process; make one with: openssl \
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
        return check(format!("{address}, which this machine alone can reach"));
    }
    let reach = match address.ip().is_unspecified() {
        true => "which every network of this machine can reach",
        false => "which other machines can reach",
    };
    check(format!("{address}, {reach}"))
        .noting("let only a proxy that speaks TLS reach it: API keys and answers come in the clear")
}
