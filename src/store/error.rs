//! Database errors, grouped by what the caller can do about them.

use sea_orm::sqlx;
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, SqlErr};

/// Why a database operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server is unreachable, restarting, or failing over. A later retry may succeed.
    #[error("the database does not answer")]
    Unavailable(#[source] DbErr),
    /// No connection became free in time, or the statement exceeded its own limit or the caller's
    /// deadline. A later retry may succeed.
    #[error("the database did not answer in time")]
    TooSlow(#[source] DbErr),
    /// Another transaction holds locks that this one needs, or the two deadlocked. A later retry may
    /// succeed.
    #[error("the database transaction conflicts with another one")]
    Contended(#[source] DbErr),
    /// No disk space is left. A retry may succeed once space is free.
    #[error("the database's disk is full")]
    Full(#[source] DbErr),
    /// Another process is migrating the schema. A retry succeeds once the migration has ended.
    #[error("another replica is still migrating the schema after a wait of {waited_seconds} s")]
    Migrating {
        /// How long this process waited.
        waited_seconds: u32,
    },
    /// A row with this key already exists.
    #[error("the database already contains a row with this key")]
    Duplicate(#[source] DbErr),
    /// Any other error. A retry does not help.
    #[error("the database rejected a statement")]
    Failed(#[source] DbErr),
}

impl Error {
    /// A row or value that this program never writes.
    pub(super) fn unexpected(what: &str) -> Self {
        Self::Failed(DbErr::Custom(what.to_owned()))
    }

    /// Whether a later retry may succeed, possibly only after an operator acted.
    pub fn is_passing(&self) -> bool {
        self.passes_soon() || matches!(self, Self::Full(_) | Self::Migrating { .. })
    }

    /// Whether a retry may succeed within a minute or two, without an operator.
    pub fn passes_soon(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::TooSlow(_) | Self::Contended(_))
    }

    /// The database's error code: an SQLSTATE, or SQLite's number. The database's message is not exposed,
    /// because it quotes values.
    pub fn code(&self) -> Option<String> {
        let (Self::Unavailable(error)
        | Self::TooSlow(error)
        | Self::Contended(error)
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

    /// What an operator can do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Full(_) => "free space on the database's disk; the data already stored is safe",
            Self::Migrating { .. } => "start this process again once the other migration has ended",
            Self::Unavailable(_) | Self::Failed(DbErr::Conn(_)) => {
                "check database.url, and that the database is running"
            }
            Self::TooSlow(_) => {
                "check database.url, and that the database is running; if it is, look for slow \
                 statements and locks, and check whether all of database.max_connections are used"
            }
            Self::Contended(_) => {
                "a retry usually succeeds; if not, look for transactions that hold locks for long"
            }
            Self::Duplicate(_) | Self::Failed(_) => {
                "the data already stored is safe; run again with log.filter = \"debug\", and report \
                 the error if it persists"
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
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => Self::TooSlow(error),
            DbErr::ConnectionAcquire(_) => Self::Unavailable(error),
            DbErr::Conn(RuntimeErr::SqlxError(cause)) if is_cut_off(cause) => {
                Self::Unavailable(error)
            }
            DbErr::Conn(RuntimeErr::SqlxError(cause))
            | DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => match condition(cause) {
                Condition::Unavailable => Self::Unavailable(error),
                Condition::TooSlow => Self::TooSlow(error),
                Condition::Contended => Self::Contended(error),
                Condition::Full => Self::Full(error),
                Condition::Other => Self::Failed(error),
            },
            _ => Self::Failed(error),
        }
    }
}

/// Whether a connection was closed before the protocol began, as a proxy does if its server is
/// unreachable. sqlx reports the end of the stream as a protocol error.
fn is_cut_off(cause: &sqlx::Error) -> bool {
    matches!(cause, sqlx::Error::Protocol(_))
}

#[derive(Debug, PartialEq, Eq)]
enum Condition {
    Unavailable,
    TooSlow,
    Contended,
    Full,
    Other,
}

fn condition(cause: &sqlx::Error) -> Condition {
    match cause {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Condition::Unavailable,
        sqlx::Error::PoolTimedOut => Condition::TooSlow,
        sqlx::Error::Database(database) => match database.code().as_deref() {
            Some(code) => condition_of_code(code, database.message()),
            None => Condition::Other,
        },
        _ => Condition::Other,
    }
}

/// Parts of MariaDB's and MySQL's messages for a full disk. The last two come from the operating system.
const FULL: [&str; 4] = ["is full", "Disk full", "No space left", "errno: 28"];

/// Classifies an error code: an SQLSTATE of PostgreSQL or MySQL, or SQLite's number.
fn condition_of_code(code: &str, message: &str) -> Condition {
    match code {
        // SQLITE_FULL; disk_full. MySQL reports ER_RECORD_FILE_FULL and ER_DISK_FULL as HY000.
        "13" | "53100" => Condition::Full,
        "HY000" if FULL.iter().any(|part| message.contains(part)) => Condition::Full,
        // SQLITE_BUSY, SQLITE_LOCKED and their extended codes; serialisation failure, deadlock, lock
        // wait timeout. After a lock wait timeout MySQL rolls back only the statement, which is safe
        // because no caller continues a transaction after an error.
        "5" | "6" | "261" | "517" | "40001" | "40P01" | "55P03" => Condition::Contended,
        "HY000" if message.contains("Lock wait timeout") => Condition::Contended,
        // An operator or the server's statement timeout cancelled the statement.
        "57014" => Condition::TooSlow,
        // Too many connections; a server that is read-only after a failover, until the pool connects to
        // the new primary; a transaction that was idle for too long.
        "53300" | "25006" | "25P03" => Condition::Unavailable,
        // SQLITE_IOERR and its variants for writes: SQLite reports these for a full or missing disk.
        "10" | "778" | "1034" | "1290" | "1546" | "4874" => Condition::Full,
        // The server is starting or stopping, or an operator closed the connection.
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
    fn a_busy_or_failing_over_database_is_a_temporary_error() {
        let unavailable = [
            ("53300", "sorry, too many clients already"),
            ("25006", "cannot execute INSERT in a read-only transaction"),
            ("25P03", "terminating connection due to idle-in-transaction timeout"),
            ("57P01", "terminating connection due to administrator command"),
            ("08006", "connection failure"),
        ];
        assert_all(&unavailable, &Condition::Unavailable);
        let contended = [
            ("5", "database is locked"),
            ("40P01", "deadlock detected"),
            ("40001", "Deadlock found when trying to get lock; try restarting transaction"),
            ("55P03", "could not obtain lock on relation"),
            ("HY000", "Lock wait timeout exceeded; try restarting transaction"),
        ];
        assert_all(&contended, &Condition::Contended);
        assert_all(
            &[("57014", "canceling statement due to statement timeout")],
            &Condition::TooSlow,
        );
    }

    #[test]
    fn a_temporary_error_describes_what_happened() {
        let too_slow = Error::from(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout));
        assert_eq!(too_slow.to_string(), "the database did not answer in time");
        let closed = Error::from(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed));
        assert_eq!(closed.to_string(), "the database does not answer");
        assert!([too_slow, closed].iter().all(|error| error.is_passing() && error.passes_soon()));
    }

    #[test]
    fn a_protocol_error_while_connecting_is_temporary() {
        let protocol = || {
            let cause = sqlx::Error::Protocol("unexpected response from SSLRequest: 0x00".into());
            RuntimeErr::SqlxError(cause.into())
        };
        assert!(matches!(Error::from(DbErr::Conn(protocol())), Error::Unavailable(_)));
        // On an established connection it is a bug.
        assert!(matches!(Error::from(DbErr::Query(protocol())), Error::Failed(_)));
    }

    #[test]
    fn a_full_disk_is_distinguished_from_a_rejected_statement() {
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
        let rejected = [
            ("HY000", "Incorrect string value"),
            ("42P01", "no such relation"),
            ("1", "no such table"),
        ];
        assert_all(&rejected, &Condition::Other);
    }
}
