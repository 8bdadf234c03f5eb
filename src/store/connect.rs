//! Opening the database: pools, time limits, and the settings each kind needs for this work.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::ConnectOptions;
use sea_orm::sqlx::pool::PoolOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{Connection, Sqlite};

use super::Error;
use super::connection_check::{Server, SessionStatements, watched};
use super::pool_recovery::Connections;
use super::pool_state::{PoolUsage, RecentTimeouts};

/// How to reach the database.
#[derive(Clone)]
pub struct Options {
    /// `sqlite://FILE?mode=rwc`, `postgres://…` or `mysql://…`.
    pub url: String,
    /// Connections this process may open.
    pub max_connections: u32,
    /// How long a caller waits for a free connection.
    pub acquire_timeout: Duration,
    /// How long a statement may take that looks at some thousands of rows, on a server.
    pub statement_limit: Duration,
}

/// A page cache for the writer that holds the working set of the two indexes at a million rows.
pub(super) const WRITER_CACHE_KIB: u32 = 48 * 1024;

/// Readers look rows up one by one; the kernel's cache serves them.
const READER_CACHE_KIB: u32 = 2 * 1024;

/// Readers beyond the cores only wait for each other.
const MOST_SQLITE_READERS: u32 = 8;

/// Pages of 4 KiB written to the log before they are folded into the file. A late checkpoint
/// writes a page once that many commits touched: 55,000 instead of 34,000 rows a second.
const WAL_AUTOCHECKPOINT_PAGES: u32 = 16_000;

/// Rows handed over at a time between the thread that runs SQLite and the task that waits: the usual
/// 50 spend more time on switching than on looking up.
const ROW_BUFFER: usize = 2_048;

/// How long another process's write may hold up ours.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Statements for PostgreSQL.
///
/// The first statement: a process that was stopped or cut off in a transaction holds its locks until the
/// server hears of its end, if it ever does; whoever takes its lease over would wait for them. After 10 s
/// without a word the server undoes the transaction instead: sooner than a lease of the usual life ends,
/// and far longer than the pauses between our own statements.
///
/// The second: while a statement waits for a lock, the server does not notice that its connection is gone;
/// those that callers gave up would pile up on the server until it takes no more. From version 14 on it
/// can look once a second, where the system lets it.
const POSTGRES: SessionStatements = SessionStatements {
    first: "SET idle_in_transaction_session_timeout = 10000",
    wish: "SELECT set_config(name, '1000', false) FROM pg_settings \
           WHERE name = 'client_connection_check_interval'",
    // The end alone would be warned of where there is nothing to end, in the server's log too; a beginning
    // before it only where there is one, which is no news. The end undoes the setting.
    end: "SET client_min_messages = error; BEGIN; ROLLBACK",
};

/// The same of MySQL's family. MariaDB alone has a limit for idle transactions; MySQL and TiDB read no
/// more than a variable nobody asks for. None of them notices that a waiting statement's connection is
/// gone, so none waits for a lock much longer than callers do.
const MYSQL: SessionStatements = SessionStatements {
    first: "SET @unionid_bridge = 1 /*M!100300 , SESSION idle_transaction_timeout = 10 */",
    wish: "SET SESSION innodb_lock_wait_timeout = 3, SESSION lock_wait_timeout = 3",
    end: "ROLLBACK",
};

/// As it stands there.
pub(super) const LONGEST_LOCK_WAIT_SECONDS: u32 = 3;

impl fmt::Debug for Options {
    /// Without the URL, which may hold a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = formatter.debug_struct("Options");
        told.field("max_connections", &self.max_connections).finish_non_exhaustive()
    }
}

impl Options {
    /// Whether the database is a file, which has one writer and does not go away.
    pub(super) fn is_file(&self) -> bool {
        self.url.starts_with("sqlite:")
    }
}

/// A server's connections, to read and to write.
pub(super) async fn connect_server(
    options: &Options,
    doubt: &RecentTimeouts,
) -> Result<Connections, Error> {
    let (mut server, traffic) = (common(options), Arc::<PoolUsage>::default());
    let line = |phrases| Server {
        url: options.url.as_str().into(),
        phrases,
        doubt: doubt.clone(),
        traffic: traffic.clone(),
    };
    let (postgres, mysql) = (line(POSTGRES), line(MYSQL));
    server
        .map_sqlx_postgres_pool_opts(move |pool| watched(pool, &postgres))
        .map_sqlx_mysql_pool_opts(move |pool| watched(pool, &mysql));
    let inner = sea_orm::Database::connect(server).await?;
    // The first was taken to see whether the database answers, and put back past all that is counted.
    traffic.count_back();
    Ok(Connections { inner, traffic })
}

/// A file's connections: the writer, and the readers.
pub(super) async fn connect_file(options: &Options) -> Result<(Connections, Connections), Error> {
    let common = common(options);
    let mut writer = common.clone();
    // It does not go away between two statements.
    writer.test_before_acquire(false);
    writer
        .max_connections(1)
        .map_sqlx_sqlite_opts(|sqlite| tuned(sqlite, WRITER_CACHE_KIB))
        .map_sqlx_sqlite_pool_opts(without_lost_transactions);
    // The writer first: it makes the file and switches it to write-ahead logging.
    let writer = sea_orm::Database::connect(writer).await?;
    let mut readers = common;
    readers.test_before_acquire(false);
    readers
        .max_connections(options.max_connections.clamp(1, MOST_SQLITE_READERS))
        .map_sqlx_sqlite_opts(|sqlite| tuned(sqlite, READER_CACHE_KIB));
    let readers = sea_orm::Database::connect(readers).await?;
    let unwatched = |inner| Connections { inner, traffic: Arc::default() };
    Ok((unwatched(writer), unwatched(readers)))
}

fn common(options: &Options) -> ConnectOptions {
    let mut common = ConnectOptions::new(&options.url);
    common
        .max_connections(options.max_connections)
        .acquire_timeout(options.acquire_timeout)
        .connect_timeout(options.acquire_timeout)
        // Statements carry openids and sealed tokens.
        .sqlx_logging(false);
    common
}

/// Where the disk is full SQLite undoes a transaction by itself. The rollback that follows fails, and sqlx
/// counts the transaction as open for ever: what is written afterwards on that connection would be within a
/// transaction that nobody commits. So it is closed, and another one opened.
fn without_lost_transactions(pool: PoolOptions<Sqlite>) -> PoolOptions<Sqlite> {
    pool.before_acquire(|connection, _| {
        // Whatever rollback there was has been made: connections are pinged when they come back.
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
        // Room that a burst took in the log is given back.
        .pragma("journal_size_limit", (64 * 1024 * 1024).to_string())
}
