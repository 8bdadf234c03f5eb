//! Checks of the database: whether it answers, its schema, clock, disk and connection limit.
//!
//! Applies no migration, and does not create a missing SQLite file.

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::check::{merge, within};
use super::{Check, DATABASE_TIMEOUT, Name, clocks};
use crate::app;
use crate::clock::Clock;
use crate::config::Config;
use crate::error_chain::error_chain;
use crate::store::{self, Store, schema, server};

/// Below this, SQLite's next write may not fit, including its write-ahead log.
const FAIL_BELOW_BYTES: u64 = 64 * 1024 * 1024;

/// Below this, a first sync of a million followers may not fit.
const WARN_BELOW_BYTES: u64 = 1024 * 1024 * 1024;

/// A run needs one connection to write a page and another to renew its lease.
const MIN_CONNECTIONS: u32 = 2;

/// The database, as the other checks use it.
pub(super) struct Database {
    store: Option<Store>,
    /// Why the database cannot be used; `None` if it can.
    problem: Option<&'static str>,
}

impl Database {
    fn unusable(store: Option<Store>, why: &'static str) -> Self {
        Self { store, problem: Some(why) }
    }

    /// Returns the store if the schema is up to date, otherwise why it cannot be used.
    pub(super) fn ready(&self) -> Result<&Store, &'static str> {
        match (&self.store, self.problem) {
            (Some(store), None) => Ok(store),
            (_, why) => Err(why.unwrap_or("the database does not answer")),
        }
    }

    /// Closes the database, which merges SQLite's write-ahead log into its file.
    pub(super) async fn close(self) {
        if let Some(store) = self.store
            && let Err(error) = store.close().await
        {
            tracing::debug!(%error, "could not close the database");
        }
    }
}

pub(super) async fn examine(config: &Config, clock: &Clock) -> (Vec<Check>, Database) {
    let file = server::file(config.database.url.expose_secret());
    let mut checks = vec![disk(config, file.as_deref()).await];
    if let Some(missing) = file.as_deref().and_then(|file| missing_file(config, file)) {
        checks.push(missing);
        return skip_rest(checks, "there is no database yet");
    }
    let opened = within(DATABASE_TIMEOUT, Name::Database, open(config)).await;
    let store = match opened {
        Ok((check, store)) => {
            checks.push(check);
            store
        }
        Err(check) => {
            checks.push(check);
            return skip_rest(checks, "the database does not answer");
        }
    };
    let (migrations, time, pool) = tokio::join!(
        within(DATABASE_TIMEOUT, Name::DatabaseMigrations, migrations(&store)),
        within(DATABASE_TIMEOUT, Name::ClockDatabase, time(&store, clock)),
        within(DATABASE_TIMEOUT, Name::DatabasePool, pool(config, &store)),
    );
    let (migrations, database) = match migrations {
        Ok((check, 0)) => (check, Database { store: Some(store), problem: None }),
        Ok((check, _)) => (check, Database::unusable(Some(store), "the database lacks migrations")),
        Err(check) => (check, Database::unusable(Some(store), "the database does not answer")),
    };
    checks.extend([migrations, merge(time), merge(pool)]);
    (checks, database)
}

fn skip_rest(mut checks: Vec<Check>, why: &'static str) -> (Vec<Check>, Database) {
    let rest = [Name::DatabaseMigrations, Name::ClockDatabase, Name::DatabasePool];
    checks.extend(rest.map(|name| Check::skipped(name, why)));
    (checks, Database::unusable(None, why))
}

/// Returns a check if the SQLite file does not exist, because connecting would create it.
fn missing_file(config: &Config, file: &Path) -> Option<Check> {
    if file.exists() {
        return None;
    }
    let detail = format!("the file {} does not exist yet", file.display());
    Some(match config.database.url.expose_secret().contains("mode=rwc") {
        true => Check::warn(
            Name::Database,
            detail,
            "create it with `unionid-bridge migrate up`; `sync` and `serve` create it too",
        ),
        false => Check::fail(
            Name::Database,
            detail,
            "check database.url; with ?mode=rwc at its end, a missing file is created",
        ),
    })
}

async fn open(config: &Config) -> Result<(Check, Store), Check> {
    let store = app::connect(config).await.map_err(|error| {
        let hint = error.hint().unwrap_or_else(|| "check database.url".to_owned());
        Check::fail(Name::Database, error_chain(&error), hint)
    })?;
    let version = server::version(&store).await.map_err(|error| failed(Name::Database, &error))?;
    Ok((Check::ok(Name::Database, format!("{version} answers")), store))
}

/// Returns a failed check for a database error.
pub(super) fn failed(name: Name, error: &store::Error) -> Check {
    Check::fail(name, error_chain(error), error.hint())
}

/// Returns the check and the number of pending migrations.
async fn migrations(store: &Store) -> Result<(Check, usize), Check> {
    let name = Name::DatabaseMigrations;
    let steps = schema::status(store).await.map_err(|error| failed(name, &error))?;
    let pending: Vec<_> = steps.iter().filter(|step| !step.applied).collect();
    let check = match pending.first() {
        None => Check::ok(name, format!("all {} migrations are applied", steps.len())),
        Some(first) => Check::warn(
            name,
            format!(
                "{} of {} migrations are pending, from {} on",
                pending.len(),
                steps.len(),
                first.name
            ),
            "run `unionid-bridge migrate up`; `sync` and `serve` apply them too, without --no-migrate",
        ),
    };
    Ok((check, pending.len()))
}

async fn time(store: &Store, clock: &Clock) -> Result<Check, Check> {
    let name = Name::ClockDatabase;
    let before = clock.now();
    let theirs = store.now().await.map_err(|error| failed(name, &error))?;
    let after = clock.now();
    let theirs = chrono::DateTime::from_timestamp_millis(theirs).unwrap_or_default();
    Ok(clocks::evaluate(name, "the database's", theirs, (before, after)))
}

async fn pool(config: &Config, store: &Store) -> Result<Check, Check> {
    let name = Name::DatabasePool;
    let ours = config.database.max_connections;
    let limit = server::connection_limit(store).await.map_err(|error| failed(name, &error))?;
    let Some(limit) = limit else {
        return Ok(Check::ok(name, format!("up to {ours} connections to the file")));
    };
    let detail = format!("up to {ours} connections of the server's {limit}");
    Ok(match ours {
        ours if ours >= limit => Check::fail(
            name,
            detail,
            "lower database.max_connections: all processes together must stay below the server's limit",
        ),
        ours if ours > limit / 2 => Check::warn(
            name,
            format!("{detail}: not enough for a second process"),
            "lower database.max_connections, or raise the server's limit (max_connections)",
        ),
        ours if ours < MIN_CONNECTIONS => Check::warn(
            name,
            format!("{detail}: one write blocks everything else"),
            "raise database.max_connections; the default is 16",
        ),
        _ => Check::ok(name, detail),
    })
}

async fn disk(config: &Config, file: Option<&Path>) -> Check {
    let name = Name::DatabaseDisk;
    let Some(file) = file.map(Path::to_owned) else {
        let is_sqlite = config.database.url.expose_secret().starts_with("sqlite:");
        let why =
            if is_sqlite { "the database is in memory" } else { "the database is on a server" };
        return Check::skipped(name, why);
    };
    // A file system that hangs would block an async thread.
    let step = async {
        let task = tokio::task::spawn_blocking(move || check_disk(file));
        Ok(task.await.unwrap_or_else(|_| Check::skipped(name, "the disk could not be checked")))
    };
    merge(within(DATABASE_TIMEOUT, name, step).await)
}

fn check_disk(file: PathBuf) -> Check {
    let name = Name::DatabaseDisk;
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let shown = folder.display();
    // SQLite writes its log next to its file.
    if let Err(error) = tempfile::tempfile_in(folder) {
        let hint = "give this process's user write permission there, or change database.url";
        return Check::fail(name, format!("cannot write to the folder {shown}: {error}"), hint);
    }
    if file.exists()
        && let Err(error) = std::fs::OpenOptions::new().append(true).open(&file)
    {
        let hint = "give this process's user write permission for it (chown, chmod u+w)";
        return Check::fail(name, format!("cannot write to {}: {error}", file.display()), hint);
    }
    match rustix::fs::statvfs(folder) {
        Ok(disk) => evaluate_space(disk.f_bavail.saturating_mul(disk.f_frsize)),
        Err(_) => Check::ok(name, format!("the folder {shown} is writable")),
    }
}

fn evaluate_space(free: u64) -> Check {
    let (name, hint) = (
        Name::DatabaseDisk,
        "free space on the database's disk, or move the file to a larger disk",
    );
    let detail = format!("{} MiB free", free / (1024 * 1024));
    match free {
        free if free < FAIL_BELOW_BYTES => Check::fail(name, detail, hint),
        free if free < WARN_BELOW_BYTES => Check::warn(name, detail, hint),
        _ => Check::ok(name, detail),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_disk_that_fills_up_is_reported_before_it_is_full() {
        for (mebibytes, state) in
            [(63, State::Fail), (64, State::Warn), (1023, State::Warn), (1024, State::Ok)]
        {
            assert_eq!(evaluate_space(mebibytes * 1024 * 1024).state, state, "{mebibytes}");
        }
    }

    #[test]
    fn a_missing_folder_is_not_writable() {
        let check = check_disk("/nowhere/at/all/bridge.db".into());
        assert_eq!(check.state, State::Fail);
        assert!(check.detail.contains("/nowhere/at/all"), "{check:?}");
    }
}
