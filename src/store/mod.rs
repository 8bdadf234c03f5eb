//! The database, and the only place that knows SeaORM.
//!
//! Functions here say what they do to one table in the words of the model. Those that write take
//! `&impl Connection`, so that the caller, who opens a transaction with [`Store::begin`], commits it
//! in sight. Instants are milliseconds since 1970 on the *database's* clock ([`Store::now`]), because
//! replicas' own clocks differ. Knows nothing of WeChat, of features or of HTTP.

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

/// The number that rows use for an account.
pub type AccountId = i32;

/// Followers of the largest account.
const MOST_ROWS: u64 = 50_000_000;

/// A handle on the database; clones share its connections.
///
/// SQLite allows one writer at a time, so there a pool of one connection writes while others read.
#[derive(Debug, Clone)]
pub struct Store {
    writer: Pool,
    readers: Pool,
}

impl Store {
    /// Connects. A SQLite file is made where there is none and the URL says `mode=rwc`.
    pub async fn connect(options: &Options) -> Result<Self, Error> {
        let (doubt, limit) = (RecentTimeouts::default(), options.statement_limit);
        if options.is_file() {
            let (writer, readers) = connect::connect_file(options).await?;
            let readers = Pool::new(readers, limit, doubt.clone());
            return Ok(Self { writer: Pool::new(writer, limit, doubt), readers });
        }
        let connections = connect::connect_server(options, &doubt).await?;
        let pool = Pool::new(connections, limit, doubt.clone());
        pool_recovery::spawn(pool.shared(), options, &doubt);
        Ok(Self { writer: pool.clone(), readers: pool })
    }

    /// The same database, for statements that look at so many rows: they may take longer.
    pub fn for_rows(&self, rows: u64) -> Self {
        Self { writer: self.writer.for_rows(rows), readers: self.readers.for_rows(rows) }
    }

    /// The same for statements that look at all rows of the largest account.
    pub fn for_all_rows(&self) -> Self {
        self.for_rows(MOST_ROWS)
    }

    /// Connections to read from; what they see is committed.
    pub fn reader(&self) -> &Pool {
        &self.readers
    }

    /// Connections for a single statement that writes.
    pub fn writer(&self) -> &Pool {
        &self.writer
    }

    /// Opens a transaction that may write; dropped without a commit, it is undone.
    pub async fn begin(&self) -> Result<Transaction, Error> {
        let options = TransactionOptions {
            // A deferred transaction that starts by reading cannot wait for another process's
            // write lock: SQLite refuses it at once.
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.writer.begin_with(options).await
    }

    /// The time on the database's clock, in milliseconds since 1970.
    pub async fn now(&self) -> Result<i64, Error> {
        now(&self.readers).await
    }

    /// Whether the database answers.
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

    /// Closes all connections, so that SQLite folds its log into the file.
    pub async fn close(self) -> Result<(), Error> {
        self.readers.close().await?;
        self.writer.close().await
    }
}

/// The time on the database's clock as a transaction or connection sees it.
pub async fn now(connection: &impl Connection) -> Result<i64, Error> {
    let mut sql = Sql::new(connection);
    let clock = sql.clock();
    sql.push("SELECT ").push(clock).push(" AS now_at");
    let row = connection.query_one_raw(sql.into_statement()).await?;
    let row = row.ok_or_else(|| Error::unexpected("the clock gave no row"))?;
    Ok(row.try_get("", "now_at")?)
}

/// An identifier as it stands in the database.
fn parsed<T: TryFrom<String>>(text: String) -> Result<T, Error> {
    T::try_from(text).map_err(|_| Error::unexpected("an identifier in the database is malformed"))
}
