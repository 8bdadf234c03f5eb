//! The database, and the only place that knows SeaORM.
//!
//! Most modules contain the functions of one table and uses the types of [`crate::model`]. Functions
//! that write take `&impl Connection`, so that the caller opens a transaction with [`Store::begin`] and
//! visibly commits it. All times are milliseconds since 1970 in *database* time ([`Store::now`]), because
//! the clocks of replicas differ. Knows nothing of WeChat, features or HTTP.

pub mod accounts;
pub mod api_keys;
pub mod audit;
pub mod callbacks;
mod connect;
mod connection_check;
pub mod consents;
pub mod coverage;
mod deadline;
pub mod erasures;
mod error;
pub mod followers;
pub mod identities;
pub mod key_uses;
pub mod leases;
pub mod message_requests;
pub mod messages;
pub mod mini_program_users;
mod pool;
mod pool_recovery;
mod pool_state;
pub mod profile_checks;
pub mod push_pace;
pub mod quarantine;
pub mod receipts;
pub mod runs;
pub mod schema;
pub mod server;
mod sql;
pub mod statistics;
pub mod template_stops;
pub mod tokens;

pub use connect::Options;
pub use deadline::{AdaptiveTimeout, DEADLINE, in_time, within};
pub use error::Error;
pub use pool::{Pool, Transaction};
pub use sea_orm::ConnectionTrait as Connection;

use sea_orm::{DbBackend, SqliteTransactionMode, TransactionOptions};

use pool_state::RecentTimeouts;
use sql::Sql;

/// The number that identifies an account in the database.
pub type AccountId = i32;

/// Number of followers of the largest account that is supported.
const MAX_ACCOUNT_ROWS: u64 = 50_000_000;

/// A handle to the database; clones share its connections.
///
/// SQLite allows one writer at a time, so for SQLite the writer is a pool of one connection, separate
/// from the readers.
#[derive(Debug, Clone)]
pub struct Store {
    writer: Pool,
    readers: Pool,
}

impl Store {
    /// Connects. Creates a missing SQLite file if the URL contains `mode=rwc`.
    pub async fn connect(options: &Options) -> Result<Self, Error> {
        let (timeouts, limit) = (RecentTimeouts::default(), options.statement_limit);
        if options.is_file() {
            let (writer, readers) = connect::connect_file(options).await?;
            let readers = Pool::new(readers, limit, timeouts.clone());
            return Ok(Self { writer: Pool::new(writer, limit, timeouts), readers });
        }
        let connections = connect::connect_server(options, &timeouts).await?;
        let pool = Pool::new(connections, limit, timeouts.clone());
        pool_recovery::spawn(pool.shared(), options, &timeouts);
        Ok(Self { writer: pool.clone(), readers: pool })
    }

    /// Returns the same database with a longer statement limit, for statements that read `rows` rows.
    pub fn for_rows(&self, rows: u64) -> Self {
        Self { writer: self.writer.for_rows(rows), readers: self.readers.for_rows(rows) }
    }

    /// Like [`Store::for_rows`], for statements that read all rows of the largest account.
    pub fn for_all_rows(&self) -> Self {
        self.for_rows(MAX_ACCOUNT_ROWS)
    }

    /// Connections to read from; they see only committed data.
    pub fn reader(&self) -> &Pool {
        &self.readers
    }

    /// Connections for a single statement that writes.
    pub fn writer(&self) -> &Pool {
        &self.writer
    }

    /// Opens a transaction that may write. It rolls back if dropped without a commit.
    pub async fn begin(&self) -> Result<Transaction, Error> {
        let options = TransactionOptions {
            // A deferred transaction that reads first cannot wait for another process's write lock:
            // SQLite rejects its first write immediately.
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.writer.begin_with(options).await
    }

    /// The current database time, in ms since 1970.
    pub async fn now(&self) -> Result<i64, Error> {
        now(&self.readers).await
    }

    /// Checks that the database responds.
    pub async fn ping(&self) -> Result<(), Error> {
        self.readers.ping().await
    }

    /// `sqlite`, `postgres` or `mysql`.
    pub fn backend_name(&self) -> &'static str {
        match self.writer.get_database_backend() {
            DbBackend::MySql => "mysql",
            DbBackend::Postgres => "postgres",
            _ => "sqlite",
        }
    }

    /// Closes all connections. SQLite then merges its write-ahead log into the file.
    pub async fn close(self) -> Result<(), Error> {
        self.readers.close().await?;
        self.writer.close().await
    }
}

/// The current database time, in ms since 1970, read through a transaction or connection.
pub async fn now(connection: &impl Connection) -> Result<i64, Error> {
    let mut sql = Sql::new(connection);
    let clock = sql.clock();
    sql.push("SELECT ").push(clock).push(" AS now_at");
    let row = connection.query_one_raw(sql.into_statement()).await?;
    let row = row.ok_or_else(|| Error::unexpected("the query for the time returned no row"))?;
    Ok(row.try_get("", "now_at")?)
}

/// Parses an identifier that was read from the database.
fn parsed<T: TryFrom<String>>(text: String) -> Result<T, Error> {
    T::try_from(text).map_err(|_| Error::unexpected("an identifier in the database is malformed"))
}
