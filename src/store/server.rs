//! Facts about the database server or the SQLite file that operators need.

use std::path::PathBuf;
use std::str::FromStr;

use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{ConnectionTrait, DbBackend};

use super::sql::Sql;
use super::{Error, Store};

/// Returns the file of a `sqlite:` URL; `None` for any other URL and for an in-memory database.
pub fn file(url: &str) -> Option<PathBuf> {
    if !url.starts_with("sqlite:") || url.contains(":memory:") || url.contains("mode=memory") {
        return None;
    }
    Some(SqliteConnectOptions::from_str(url).ok()?.get_filename().to_owned())
}

/// The product and version of the database, such as `SQLite 3.46.0` or `PostgreSQL 15.3`.
pub async fn version(store: &Store) -> Result<String, Error> {
    let (name, query) = match store.reader().get_database_backend() {
        DbBackend::Postgres => ("", "SELECT version()"),
        DbBackend::MySql => ("MySQL ", "SELECT VERSION()"),
        _ => ("SQLite ", "SELECT sqlite_version()"),
    };
    let mut sql = Sql::new(store.reader());
    sql.push(query);
    let row = store.reader().query_one_raw(sql.into_statement()).await?;
    let row = row.ok_or_else(|| Error::unexpected("the query for the version returned no row"))?;
    let version: String = row.try_get_by_index(0)?;
    // PostgreSQL appends its compiler and machine, MariaDB its packager.
    Ok(match version.split_once("-MariaDB") {
        Some((number, _)) => format!("MariaDB {number}"),
        None if name.is_empty() => version.split(' ').take(2).collect::<Vec<_>>().join(" "),
        None => format!("{name}{version}"),
    })
}

/// The maximum number of connections that the server accepts from all clients; `None` for SQLite.
pub async fn connection_limit(store: &Store) -> Result<Option<u32>, Error> {
    let query = match store.reader().get_database_backend() {
        DbBackend::Postgres => "SELECT CAST(current_setting('max_connections') AS BIGINT)",
        DbBackend::MySql => "SELECT CAST(@@max_connections AS SIGNED)",
        _ => return Ok(None),
    };
    let mut sql = Sql::new(store.reader());
    sql.push(query);
    let row = store.reader().query_one_raw(sql.into_statement()).await?;
    let limit: Option<i64> = row.map(|row| row.try_get_by_index(0)).transpose()?;
    Ok(limit.and_then(|limit| u32::try_from(limit).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_path_is_read_from_a_sqlite_url() {
        for (url, path) in [
            ("sqlite://bridge.db?mode=rwc", Some("bridge.db")),
            ("sqlite:///var/lib/a%20b.db", Some("/var/lib/a b.db")),
            ("sqlite:bridge.db", Some("bridge.db")),
            ("sqlite::memory:", None),
            ("sqlite://x?mode=memory", None),
            ("postgres://u:p@h/d", None),
        ] {
            assert_eq!(file(url), path.map(PathBuf::from), "{url}");
        }
    }
}
