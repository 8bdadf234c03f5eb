//! The database: whether it answers, whether its schema is up to date, its clock, disk and pool.
//!
//! Applies no migration, and makes no file where SQLite has none yet.

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::check::{either, told, within};
use super::{Check, DATABASE_LIMIT, Name, clocks};
use crate::app;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::{self, Store, schema, server};

/// Below this SQLite's next write may not fit, with the log that it writes ahead.
const HARDLY_ANY_BYTES: u64 = 64 * 1024 * 1024;

/// Below this a first sync of a million followers may not fit.
const FEW_BYTES: u64 = 1024 * 1024 * 1024;

/// A run holds a connection while it writes a page, and renews its lease meanwhile.
const FEWEST_CONNECTIONS: u32 = 2;

/// What the other checks have of the database.
pub(super) struct Base {
    store: Option<Store>,
    lacking: Option<&'static str>,
}

impl Base {
    fn lacking(store: Option<Store>, why: &'static str) -> Self {
        Self { store, lacking: Some(why) }
    }

    /// The database with its schema up to date, or why there is none.
    pub(super) fn ready(&self) -> Result<&Store, &'static str> {
        match (&self.store, self.lacking) {
            (Some(store), None) => Ok(store),
            (_, why) => Err(why.unwrap_or("the database does not answer")),
        }
    }

    /// Lets SQLite fold its log into the file.
    pub(super) async fn close(self) {
        if let Some(store) = self.store
            && let Err(error) = store.close().await
        {
            tracing::debug!(%error, "could not close the database");
        }
    }
}

pub(super) async fn examine(config: &Config, clock: &Clock) -> (Vec<Check>, Base) {
    let file = server::file(config.database.url.expose_secret());
    let mut checks = vec![disk(config, file.as_deref()).await];
    if let Some(absent) = file.as_deref().and_then(|file| absent(config, file)) {
        checks.push(absent);
        return skip_rest(checks, "there is no database yet");
    }
    let opened = within(DATABASE_LIMIT, Name::Database, open(config)).await;
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
        within(DATABASE_LIMIT, Name::DatabaseMigrations, migrations(&store)),
        within(DATABASE_LIMIT, Name::ClockDatabase, time(&store, clock)),
        within(DATABASE_LIMIT, Name::DatabasePool, pool(config, &store)),
    );
    let (migrations, base) = match migrations {
        Ok((check, 0)) => (check, Base { store: Some(store), lacking: None }),
        Ok((check, _)) => (check, Base::lacking(Some(store), "the database lacks migrations")),
        Err(check) => (check, Base::lacking(Some(store), "the database does not answer")),
    };
    checks.extend([migrations, either(time), either(pool)]);
    (checks, base)
}

fn skip_rest(mut checks: Vec<Check>, why: &'static str) -> (Vec<Check>, Base) {
    let rest = [Name::DatabaseMigrations, Name::ClockDatabase, Name::DatabasePool];
    checks.extend(rest.map(|name| Check::skipped(name, why)));
    (checks, Base::lacking(None, why))
}

/// A SQLite file that is not there: connecting would make it.
fn absent(config: &Config, file: &Path) -> Option<Check> {
    if file.exists() {
        return None;
    }
    let detail = format!("there is no file {} yet", file.display());
    Some(match config.database.url.expose_secret().contains("mode=rwc") {
        true => Check::warn(
            Name::Database,
            detail,
            "`unionid-bridge migrate up` makes it, and so do `sync` and `serve`",
        ),
        false => Check::fail(
            Name::Database,
            detail,
            "look at database.url; with ?mode=rwc at its end the file is made where it is missing",
        ),
    })
}

async fn open(config: &Config) -> Result<(Check, Store), Check> {
    let store = app::connect(config).await.map_err(|error| {
        let hint = error.hint().unwrap_or_else(|| "look at database.url".to_owned());
        Check::fail(Name::Database, told(&error), hint)
    })?;
    let version = server::version(&store).await.map_err(|error| failed(Name::Database, &error))?;
    Ok((Check::ok(Name::Database, format!("{version} answers")), store))
}

/// A check that the database did not let be made.
pub(super) fn failed(name: Name, error: &store::Error) -> Check {
    Check::fail(name, told(error), error.hint())
}

/// The check, and how many migrations there are to apply.
async fn migrations(store: &Store) -> Result<(Check, usize), Check> {
    let name = Name::DatabaseMigrations;
    let steps = schema::status(store).await.map_err(|error| failed(name, &error))?;
    let pending: Vec<_> = steps.iter().filter(|step| !step.applied).collect();
    let check = match pending.first() {
        None => Check::ok(name, format!("all {} are applied", steps.len())),
        Some(first) => Check::warn(
            name,
            format!("{} of {} are missing, from {} on", pending.len(), steps.len(), first.name),
            "run `unionid-bridge migrate up`; `sync` and `serve` do it too, without --no-migrate",
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
    Ok(clocks::judge(name, "the database's", theirs, (before, after)))
}

async fn pool(config: &Config, store: &Store) -> Result<Check, Check> {
    let name = Name::DatabasePool;
    let ours = config.database.max_connections;
    let limit = server::connection_limit(store).await.map_err(|error| failed(name, &error))?;
    let Some(limit) = limit else {
        return Ok(Check::ok(name, format!("up to {ours} connections to a file")));
    };
    let detail = format!("up to {ours} connections of the {limit} that the server takes");
    Ok(match ours {
        ours if ours >= limit => Check::fail(
            name,
            detail,
            "lower database.max_connections: all processes together have to stay below",
        ),
        ours if ours > limit / 2 => Check::warn(
            name,
            format!("{detail}: a second process would not get its own"),
            "lower database.max_connections, or raise the server's max_connections",
        ),
        ours if ours < FEWEST_CONNECTIONS => Check::warn(
            name,
            format!("{detail}: whoever writes keeps all others waiting"),
            "raise database.max_connections; the default is 16",
        ),
        _ => Check::ok(name, detail),
    })
}

async fn disk(config: &Config, file: Option<&Path>) -> Check {
    let name = Name::DatabaseDisk;
    let Some(file) = file.map(Path::to_owned) else {
        let is_sqlite = config.database.url.expose_secret().starts_with("sqlite:");
        let why = if is_sqlite { "the database is in memory" } else { "the server keeps its own" };
        return Check::skipped(name, why);
    };
    // A file system that hangs would keep this thread.
    let looked = async {
        let task = tokio::task::spawn_blocking(move || look_at_disk(file));
        Ok(task.await.unwrap_or_else(|_| Check::skipped(name, "could not be looked at")))
    };
    either(within(DATABASE_LIMIT, name, looked).await)
}

fn look_at_disk(file: PathBuf) -> Check {
    let name = Name::DatabaseDisk;
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let shown = folder.display();
    // Beside its file SQLite writes a log.
    if let Err(error) = tempfile::tempfile_in(folder) {
        let hint = "give this process's user the right to write there, or change database.url";
        return Check::fail(
            name,
            format!("nothing can be written to the folder {shown}: {error}"),
            hint,
        );
    }
    if file.exists()
        && let Err(error) = std::fs::OpenOptions::new().append(true).open(&file)
    {
        let hint = "give this process's user the right to write to it (chown, chmod u+w)";
        return Check::fail(
            name,
            format!("{} cannot be written to: {error}", file.display()),
            hint,
        );
    }
    match rustix::fs::statvfs(folder) {
        Ok(disk) => judge_space(disk.f_bavail.saturating_mul(disk.f_frsize)),
        Err(_) => Check::ok(name, format!("the folder {shown} can be written to")),
    }
}

fn judge_space(free: u64) -> Check {
    let (name, hint) =
        (Name::DatabaseDisk, "make room on the database's disk, or move the file to a larger one");
    let detail = format!("{} MiB are free", free / (1024 * 1024));
    match free {
        free if free < HARDLY_ANY_BYTES => Check::fail(name, detail, hint),
        free if free < FEW_BYTES => Check::warn(name, detail, hint),
        _ => Check::ok(name, detail),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_disk_that_fills_up_is_told_before_it_is_full() {
        for (mebibytes, state) in
            [(63, State::Fail), (64, State::Warn), (1023, State::Warn), (1024, State::Ok)]
        {
            assert_eq!(judge_space(mebibytes * 1024 * 1024).state, state, "{mebibytes}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_takes_nothing() {
        let check = look_at_disk("/nowhere/at/all/bridge.db".into());
        assert_eq!(check.state, State::Fail);
        assert!(check.detail.contains("/nowhere/at/all"), "{check:?}");
    }
}
