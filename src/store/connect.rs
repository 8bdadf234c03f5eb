//! Opens the database: connection pools, time limits, and the settings that each kind of database needs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::pool::PoolOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{Connection, Sqlite};
use sea_orm::{ConnectOptions, DatabaseConnection};

use tokio::time::{Instant, sleep};

use super::Error;
use super::connection_check::{Server, SessionStatements, with_checks};
use super::pool_recovery::Connections;
use super::pool_state::{PoolUsage, RecentTimeouts};

/// How to connect to the database.
#[derive(Clone)]
pub struct Options {
    /// `sqlite://FILE?mode=rwc`, `postgres://…` or `mysql://…`.
    pub url: String,
    /// Maximum number of connections of this process.
    pub max_connections: u32,
    /// How long a caller waits for a free connection.
    pub acquire_timeout: Duration,
    /// Time limit of a statement that reads up to some thousands of rows. Applies only to servers.
    pub statement_limit: Duration,
}

/// Page cache of the writer. It holds the working set of the two indexes at a million rows.
pub(super) const WRITER_CACHE_KIB: u32 = 48 * 1024;

/// Readers look up single rows, which the kernel's page cache serves.
const READER_CACHE_KIB: u32 = 2 * 1024;

/// More readers than cores only wait for each other.
const MAX_SQLITE_READERS: u32 = 8;

/// Pages of 4 KiB in the write-ahead log before a checkpoint. A late checkpoint writes a page once although
/// many commits changed it: measured, 55,000 instead of 34,000 rows per second.
const WAL_AUTOCHECKPOINT_PAGES: u32 = 16_000;

/// Rows that the SQLite thread hands to the waiting task at a time. With the default of 50, thread switches
/// take longer than the lookups.
const ROW_BUFFER: usize = 2_048;

/// How long a write waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Delay between attempts to connect to a locked file.
const RETRY_DELAY: Duration = Duration::from_millis(20);

/// Session statements for PostgreSQL.
///
/// `required`: a process that was stopped or cut off during a transaction keeps its locks until the server
/// notices, which may be never, and the process that takes over its lease would wait for those locks. With
/// this setting the server rolls back after 10 s of inactivity: sooner than a lease of the default lifetime
/// expires, and much longer than the pauses between our own statements.
///
/// `optional`: while a statement waits for a lock, the server does not notice that its connection is
/// closed. Statements that callers abandoned would accumulate until the server accepts no more. From
/// version 14 on the server can check the connection every second, if its operating system supports that.
const POSTGRES: SessionStatements = SessionStatements {
    required: "SET idle_in_transaction_session_timeout = 10000",
    optional: "SELECT set_config(name, '1000', false) FROM pg_settings \
               WHERE name = 'client_connection_check_interval'",
    // ROLLBACK alone causes a warning, also in the server's log, if there is no transaction; with BEGIN
    // before it there is a warning only if there is one. The rollback also reverts client_min_messages.
    rollback: "SET client_min_messages = error; BEGIN; ROLLBACK",
};

/// Session statements for MariaDB, MySQL and TiDB. Only MariaDB has a timeout for idle transactions; MySQL
/// and TiDB execute only the assignment of an unused variable. None of these servers notices that the
/// connection of a waiting statement is closed, so the lock wait timeout is close to the callers' deadline.
const MYSQL: SessionStatements = SessionStatements {
    required: "SET @unionid_bridge = 1 /*M!100300 , SESSION idle_transaction_timeout = 10 */",
    optional: "SET SESSION innodb_lock_wait_timeout = 3, SESSION lock_wait_timeout = 3",
    rollback: "ROLLBACK",
};

/// The lock wait timeout that [`MYSQL`] sets.
pub(super) const MAX_LOCK_WAIT_SECONDS: u32 = 3;

impl fmt::Debug for Options {
    /// Omits the URL, which may contain a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut output = formatter.debug_struct("Options");
        output.field("max_connections", &self.max_connections).finish_non_exhaustive()
    }
}

impl Options {
    /// Whether the database is a SQLite file, which has one writer and cannot become unreachable.
    pub(super) fn is_file(&self) -> bool {
        self.url.starts_with("sqlite:")
    }
}

/// Connects to a server. The connections serve reads and writes.
pub(super) async fn connect_server(
    options: &Options,
    timeouts: &RecentTimeouts,
) -> Result<Connections, Error> {
    let (mut common, usage) = (common(options), Arc::<PoolUsage>::default());
    let server = |statements| Server {
        url: options.url.as_str().into(),
        statements,
        timeouts: timeouts.clone(),
        usage: usage.clone(),
    };
    let (postgres, mysql) = (server(POSTGRES), server(MYSQL));
    common
        .map_sqlx_postgres_pool_opts(move |pool| with_checks(pool, &postgres))
        .map_sqlx_mysql_pool_opts(move |pool| with_checks(pool, &mysql));
    let inner = sea_orm::Database::connect(common).await?;
    // SeaORM acquired a connection to test the database and returned it without the release hook.
    usage.count_returned();
    Ok(Connections { inner, usage })
}

/// Opens a SQLite file and returns the writer and the readers.
pub(super) async fn connect_file(options: &Options) -> Result<(Connections, Connections), Error> {
    let common = common(options);
    let mut writer = common.clone();
    // A file cannot become unreachable between two statements.
    writer.test_before_acquire(false);
    writer
        .max_connections(1)
        .map_sqlx_sqlite_opts(|sqlite| tuned(sqlite, WRITER_CACHE_KIB))
        .map_sqlx_sqlite_pool_opts(without_lost_transactions);
    // The writer connects first: it creates the file and switches it to write-ahead logging.
    let writer = connect_when_unlocked(writer).await?;
    let mut readers = common;
    readers.test_before_acquire(false);
    readers
        .max_connections(options.max_connections.clamp(1, MAX_SQLITE_READERS))
        .map_sqlx_sqlite_opts(|sqlite| tuned(sqlite, READER_CACHE_KIB));
    let readers = connect_when_unlocked(readers).await?;
    let connections = |inner| Connections { inner, usage: Arc::default() };
    Ok((connections(writer), connections(readers)))
}

/// Connects, and waits while another process switches a new file to write-ahead logging: SQLite answers
/// "locked" at once then.
async fn connect_when_unlocked(options: ConnectOptions) -> Result<DatabaseConnection, Error> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match sea_orm::Database::connect(options.clone()).await.map_err(Error::from) {
            Err(Error::Contended(_)) if Instant::now() < deadline => sleep(RETRY_DELAY).await,
            result => return result,
        }
    }
}

fn common(options: &Options) -> ConnectOptions {
    let mut common = ConnectOptions::new(&options.url);
    common
        .max_connections(options.max_connections)
        .acquire_timeout(options.acquire_timeout)
        .connect_timeout(options.acquire_timeout)
        // Statements contain openids and sealed tokens.
        .sqlx_logging(false);
    common
}

/// Closes connections that sqlx believes to be in a transaction.
///
/// If the disk is full, SQLite rolls a transaction back by itself. The explicit rollback that follows fails,
/// and sqlx counts the transaction as open forever: later writes on that connection would belong to a
/// transaction that is never committed. The pool opens a new connection instead.
fn without_lost_transactions(pool: PoolOptions<Sqlite>) -> PoolOptions<Sqlite> {
    pool.before_acquire(|connection, _| {
        // A pending rollback has already run: the pool pings a connection when it is returned.
        let is_free = !connection.is_in_transaction();
        Box::pin(std::future::ready(Ok(is_free)))
    })
}

fn tuned(sqlite: SqliteConnectOptions, cache_kib: u32) -> SqliteConnectOptions {
    sqlite
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(BUSY_TIMEOUT)
        .row_buffer_size(ROW_BUFFER)
        .pragma("cache_size", format!("-{cache_kib}"))
        .pragma("wal_autocheckpoint", WAL_AUTOCHECKPOINT_PAGES.to_string())
        // Shrinks the log after a burst of writes.
        .pragma("journal_size_limit", (64 * 1024 * 1024).to_string())
}
