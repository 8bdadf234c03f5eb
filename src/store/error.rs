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
    /// Another process is changing the schema: the same call goes through once it has ended.
    #[error("another replica is migrating the schema, and has been for {waited_seconds} s")]
    Migrating {
        /// How long this one waited.
        waited_seconds: u32,
    },
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
        matches!(self, Self::Unavailable(_) | Self::Full(_) | Self::Migrating { .. })
    }

    /// The database's own code for it: an SQLSTATE, or SQLite's number. Its words are not told, because
    /// they quote values.
    pub fn code(&self) -> Option<String> {
        let (Self::Unavailable(error)
        | Self::Full(error)
        | Self::Duplicate(error)
        | Self::Failed(error)) = self
        else {
            return None;
        };
        let (DbErr::Conn(RuntimeErr::SqlxError(cause))
        | DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
        else {
            return None;
        };
        cause.as_database_error()?.code().map(|code| code.into_owned())
    }

    /// An operator's next step.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Full(_) => "make room on the database's disk; what is mirrored is safe",
            Self::Migrating { .. } => "start this one again once the other has ended",
            Self::Unavailable(_) | Self::Failed(DbErr::Conn(_) | DbErr::ConnectionAcquire(_)) => {
                "check database.url, and that the database is running"
            }
            Self::Duplicate(_) | Self::Failed(_) => {
                "what was mirrored is safe; run again with log.filter = \"debug\", and report it if it \
                 persists"
            }
        }
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        if let Some(SqlErr::UniqueConstraintViolation(_)) = error.sql_err() {
            return Self::Duplicate(error);
        }
        match &error {
            DbErr::ConnectionAcquire(_) => Self::Unavailable(error),
            DbErr::Conn(RuntimeErr::SqlxError(cause)) if is_broken_off(cause) => {
                Self::Unavailable(error)
            }
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

/// Whether a connection ended before the first word of the protocol: what a proxy gives whose
/// server is away. sqlx takes the end for a wrong word.
fn is_broken_off(cause: &sqlx::Error) -> bool {
    matches!(cause, sqlx::Error::Protocol(_))
}

#[derive(Debug, PartialEq, Eq)]
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

/// How MariaDB and MySQL say that the disk is full, the latter two on behalf of the system.
const FULL: [&str; 4] = ["is full", "Disk full", "No space left", "errno: 28"];

/// PostgreSQL's and MySQL's SQLSTATE, MySQL's and SQLite's own numbers.
fn condition_of_code(code: &str, message: &str) -> Condition {
    match code {
        // SQLITE_FULL; disk_full; MySQL's ER_RECORD_FILE_FULL and ER_DISK_FULL come as HY000.
        "13" | "53100" => Condition::Full,
        "HY000" if FULL.iter().any(|words| message.contains(words)) => Condition::Full,
        // SQLITE_BUSY, SQLITE_LOCKED and their extended codes; too many connections; deadlock,
        // serialisation failure, lock wait timeout: another attempt is due.
        "5" | "6" | "261" | "517" | "53300" | "40001" | "40P01" | "55P03" => Condition::Unavailable,
        // A server that a failover left read-only, until the pool reaches the new one; a statement
        // that an operator or a time limit cancelled; a transaction in which we were silent too long.
        "25006" | "57014" | "25P03" => Condition::Unavailable,
        "HY000" if message.contains("Lock wait timeout") => Condition::Unavailable,
        // SQLITE_IOERR and its writing kin: what a full or vanished disk gives below SQLite.
        "10" | "778" | "1034" | "1290" | "1546" | "4874" => Condition::Full,
        // The server is starting, stopping or was told to drop us.
        _ if code.starts_with("57P") || code.starts_with("08") => Condition::Unavailable,
        _ => Condition::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_all(codes: &[(&str, &str)], condition: &Condition) {
        for (code, message) in codes {
            assert_eq!(condition_of_code(code, message), *condition, "{code} {message}");
        }
    }

    #[test]
    fn a_database_that_is_busy_or_changes_hands_is_asked_again() {
        let passing = [
            ("5", "database is locked"),
            ("53300", "sorry, too many clients already"),
            ("40P01", "deadlock detected"),
            ("55P03", "could not obtain lock on relation"),
            ("25006", "cannot execute INSERT in a read-only transaction"),
            ("57014", "canceling statement due to statement timeout"),
            ("25P03", "terminating connection due to idle-in-transaction timeout"),
            ("57P01", "terminating connection due to administrator command"),
            ("08006", "connection failure"),
            ("HY000", "Lock wait timeout exceeded; try restarting transaction"),
        ];
        assert_all(&passing, &Condition::Unavailable);
    }

    #[test]
    fn a_connection_that_ends_before_it_begins_is_tried_again() {
        let protocol = || {
            let cause = sqlx::Error::Protocol("unexpected response from SSLRequest: 0x00".into());
            RuntimeErr::SqlxError(cause.into())
        };
        assert!(matches!(Error::from(DbErr::Conn(protocol())), Error::Unavailable(_)));
        // Amid the work it is somebody's mistake.
        assert!(matches!(Error::from(DbErr::Query(protocol())), Error::Failed(_)));
    }

    #[test]
    fn a_full_disk_is_told_from_a_refusal() {
        let full = [
            ("13", "database or disk is full"),
            ("778", "disk I/O error"),
            ("53100", "could not extend file: No space left on device"),
            ("HY000", "The table 'follower' is full"),
            ("HY000", "Disk full (/tmp/#sql); waiting for someone to free some space..."),
            (
                "HY000",
                "Error writing file '/var/lib/mysql/a' (errno: 28 \"No space left on device\")",
            ),
            ("HY000", "Got error 28 from storage engine (No space left on device)"),
        ];
        assert_all(&full, &Condition::Full);
        let refused = [
            ("HY000", "Incorrect string value"),
            ("42P01", "no such relation"),
            ("1", "no such table"),
        ];
        assert_all(&refused, &Condition::Other);
    }
}
