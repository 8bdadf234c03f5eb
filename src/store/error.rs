//! What can go wrong with the database, by what the caller can do about it.

use sea_orm::sqlx;
use sea_orm::{DbErr, RuntimeErr, SqlErr};

/// Why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Gone, restarting, or too busy to give a connection: the same call may go through later.
    #[error("the database does not answer")]
    Unavailable(#[source] DbErr),
    /// No space left: the same call may go through once there is some.
    #[error("the database's disk is full")]
    Full(#[source] DbErr),
    /// A row with this key is there already.
    #[error("the database holds such a row already")]
    Duplicate(#[source] DbErr),
    /// Anything else; trying again will not help.
    #[error("the database refused a statement")]
    Failed(#[source] DbErr),
}

impl Error {
    /// A row or value that no statement of ours should have led to.
    pub(super) fn unexpected(what: &str) -> Self {
        Self::Failed(DbErr::Custom(what.to_owned()))
    }

    /// Whether the same call may go through later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Full(_))
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        if let Some(SqlErr::UniqueConstraintViolation(_)) = error.sql_err() {
            return Self::Duplicate(error);
        }
        match &error {
            DbErr::ConnectionAcquire(_) => Self::Unavailable(error),
            DbErr::Conn(RuntimeErr::SqlxError(cause))
            | DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => match condition(cause) {
                Condition::Unavailable => Self::Unavailable(error),
                Condition::Full => Self::Full(error),
                Condition::Other => Self::Failed(error),
            },
            _ => Self::Failed(error),
        }
    }
}

enum Condition {
    Unavailable,
    Full,
    Other,
}

fn condition(cause: &sqlx::Error) -> Condition {
    match cause {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Condition::Unavailable,
        sqlx::Error::Database(database) => match database.code().as_deref() {
            Some(code) => condition_of_code(code, database.message()),
            None => Condition::Other,
        },
        _ => Condition::Other,
    }
}

/// PostgreSQL's and MySQL's SQLSTATE, MySQL's and SQLite's own numbers.
fn condition_of_code(code: &str, message: &str) -> Condition {
    match code {
        // SQLITE_FULL; disk_full; MySQL's ER_RECORD_FILE_FULL and ER_DISK_FULL come as HY000.
        "13" | "53100" => Condition::Full,
        "HY000" if message.contains("is full") || message.contains("Disk full") => Condition::Full,
        // SQLITE_BUSY, SQLITE_LOCKED and their extended codes; too many connections; deadlock,
        // serialisation failure, lock wait timeout: another attempt is due.
        "5" | "6" | "261" | "517" | "53300" | "40001" | "40P01" => Condition::Unavailable,
        "HY000" if message.contains("Lock wait timeout") => Condition::Unavailable,
        // SQLITE_IOERR and its writing kin: what a full or vanished disk gives below SQLite.
        "10" | "778" | "1034" | "1290" | "1546" | "4874" => Condition::Full,
        // The server is starting, stopping or was told to drop us.
        _ if code.starts_with("57P") || code.starts_with("08") => Condition::Unavailable,
        _ => Condition::Other,
    }
}
