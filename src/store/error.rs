//! What can go wrong with the database, by what the caller can do about it.

use sea_orm::sqlx;
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, SqlErr};

/// Why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Gone, restarting, or changing hands: the same call may go through later.
    #[error("the database does not answer")]
    Unavailable(#[source] DbErr),
    /// No connection became free in time, or the statement took longer than its limit or its caller's
    /// patience: the same call may go through later.
    #[error("the database gave no answer in time")]
    TooSlow(#[source] DbErr),
    /// Another transaction locks rows that this one needs, or they waited for each other: the same call may go
    /// through later.
    #[error("another transaction on the database was in the way")]
    Contended(#[source] DbErr),
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
        self.passes_soon() || matches!(self, Self::Full(_) | Self::Migrating { .. })
    }

    /// Whether the same call may go through within a minute or two, by itself.
    pub fn passes_soon(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::TooSlow(_) | Self::Contended(_))
    }

    /// The database's own code for it: an SQLSTATE, or SQLite's number. Its words are not told, because
    /// they quote values.
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

    /// An operator's next step.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Full(_) => "make room on the database's disk; what is mirrored is safe",
            Self::Migrating { .. } => "start this one again once the other has ended",
            Self::Unavailable(_) | Self::Failed(DbErr::Conn(_)) => {
                "check database.url, and that the database is running"
            }
            Self::TooSlow(_) => {
                "check database.url, and that the database is running; if it is, look for slow statements \
                 and locks, and whether all of database.max_connections are in use"
            }
            Self::Contended(_) => {
                "it passes by itself; if it does not, look for transactions that hold locks for long"
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
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => Self::TooSlow(error),
            DbErr::ConnectionAcquire(_) => Self::Unavailable(error),
            DbErr::Conn(RuntimeErr::SqlxError(cause)) if is_broken_off(cause) => {
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

/// Whether a connection ended before the first word of the protocol: what a proxy gives whose
/// server is away. sqlx takes the end for a wrong word.
fn is_broken_off(cause: &sqlx::Error) -> bool {
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

/// How MariaDB and MySQL say that the disk is full, the latter two on behalf of the system.
const FULL: [&str; 4] = ["is full", "Disk full", "No space left", "errno: 28"];

/// PostgreSQL's and MySQL's SQLSTATE, MySQL's and SQLite's own numbers.
fn condition_of_code(code: &str, message: &str) -> Condition {
    match code {
        // SQLITE_FULL; disk_full; MySQL's ER_RECORD_FILE_FULL and ER_DISK_FULL come as HY000.
        "13" | "53100" => Condition::Full,
        "HY000" if FULL.iter().any(|words| message.contains(words)) => Condition::Full,
        // SQLITE_BUSY, SQLITE_LOCKED and their extended codes; serialisation failure, deadlock, lock
        // wait timeout. Of the latter MySQL undoes the statement alone: no caller goes on after an error.
        "5" | "6" | "261" | "517" | "40001" | "40P01" | "55P03" => Condition::Contended,
        "HY000" if message.contains("Lock wait timeout") => Condition::Contended,
        // A statement that an operator or a time limit of the server's cancelled.
        "57014" => Condition::TooSlow,
        // Too many connections; a server that a failover left read-only, until the pool reaches the new
        // one; a transaction in which we were silent too long.
        "53300" | "25006" | "25P03" => Condition::Unavailable,
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
        let away = [
            ("53300", "sorry, too many clients already"),
            ("25006", "cannot execute INSERT in a read-only transaction"),
            ("25P03", "terminating connection due to idle-in-transaction timeout"),
            ("57P01", "terminating connection due to administrator command"),
            ("08006", "connection failure"),
        ];
        assert_all(&away, &Condition::Unavailable);
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
    fn an_error_that_passes_by_itself_says_what_happened() {
        let too_slow = Error::from(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout));
        assert_eq!(too_slow.to_string(), "the database gave no answer in time");
        let away = Error::from(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed));
        assert_eq!(away.to_string(), "the database does not answer");
        assert!([too_slow, away].iter().all(|error| error.is_passing() && error.passes_soon()));
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
