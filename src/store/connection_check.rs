//! Prepares new connections to a server, and checks connections that are returned to the pool.
//!
//! A returned connection may be unusable: a statement still runs on the server, a transaction is open, or
//! the server no longer responds. The check then replaces the connection in its slot by a new one. To
//! report the connection as bad to the pool is not enough: sqlx waits without a limit for a TLS connection
//! to close, and the server would continue to run the statement.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::pool::PoolOptions;
use sea_orm::sqlx::{self, ConnectOptions, Connection, Database, Executor};
use tokio::time::{sleep, timeout};

use super::pool_state::{PoolUsage, RecentTimeouts};

/// Time limit for the first test of a returned connection.
const TEST_TIMEOUT: Duration = Duration::from_secs(2);

/// Time limit for further tests, each after a replacement could not be opened.
const RETEST_TIMEOUT: Duration = Duration::from_millis(500);

/// Time limit to open a replacement.
const OPEN_TIMEOUT: Duration = Duration::from_secs(1);

/// Delay after a replacement could not be opened.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// Returned connections older than this are closed: the server frees its memory, and after a failover no
/// connection remains with the old server. The pool's own limit would skip the test.
const MAX_LIFETIME: Duration = Duration::from_mins(30);

/// Statements that prepare and reset a session on one kind of server.
#[derive(Debug, Clone, Copy)]
pub(super) struct SessionStatements {
    /// The first statement on each connection.
    pub(super) required: &'static str,
    /// The second statement, which the server may reject.
    pub(super) optional: &'static str,
    /// Rolls back a transaction if one is open; otherwise has no effect.
    pub(super) rollback: &'static str,
}

/// A server, and the state of the connections to it.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) url: Arc<str>,
    pub(super) statements: SessionStatements,
    pub(super) timeouts: RecentTimeouts,
    pub(super) usage: Arc<PoolUsage>,
}

/// Adds hooks to the pool that prepare, count, test and replace its connections.
pub(super) fn with_checks<DB: Database>(pool: PoolOptions<DB>, server: &Server) -> PoolOptions<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let (opened, acquired, released) = (server.clone(), server.usage.clone(), server.clone());
    pool.max_lifetime(None)
        .after_connect(move |connection, _| {
            let server = opened.clone();
            Box::pin(async move {
                server.prepare::<DB>(connection).await?;
                server.usage.count_acquired();
                Ok(())
            })
        })
        .before_acquire(move |_, _| {
            acquired.count_acquired();
            Box::pin(std::future::ready(Ok(true)))
        })
        .after_release(move |connection, metadata| {
            let server = released.clone();
            Box::pin(async move {
                let checked = server.check_or_replace::<DB>(connection).await;
                server.usage.count_returned();
                checked.map(|()| metadata.age < MAX_LIFETIME)
            })
        })
}

/// The state of a returned connection.
enum Condition {
    Usable,
    Broken(sqlx::Error),
    Unresponsive,
    /// The server responds but rejects the rollback.
    Stuck,
}

impl Server {
    async fn open<DB: Database>(&self) -> Result<DB::Connection, sqlx::Error>
    where
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    {
        let options: <DB::Connection as Connection>::Options = self.url.parse()?;
        let mut connection = options.disable_statement_logging().connect().await?;
        self.prepare::<DB>(&mut connection).await?;
        Ok(connection)
    }

    async fn prepare<DB: Database>(
        &self,
        connection: &mut DB::Connection,
    ) -> Result<(), sqlx::Error>
    where
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    {
        connection.execute(self.statements.required).await?;
        match connection.execute(self.statements.optional).await {
            Err(error @ sqlx::Error::Database(_)) => {
                tracing::debug!(%error, "the database server rejected an optional setting");
                Ok(())
            }
            result => result.map(drop),
        }
    }

    /// Makes a returned connection usable, by replacing it if necessary. The connection keeps its slot in
    /// the pool meanwhile; an error frees the slot.
    async fn check_or_replace<DB: Database>(
        &self,
        connection: &mut DB::Connection,
    ) -> Result<(), sqlx::Error>
    where
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    {
        if !self.timeouts.is_recent() {
            return Ok(());
        }
        let mut limit = TEST_TIMEOUT;
        loop {
            match self.test::<DB>(connection, limit).await {
                Condition::Usable => return Ok(()),
                Condition::Broken(error) => return Err(error),
                Condition::Unresponsive | Condition::Stuck => {}
            }
            if let Ok(Ok(new)) = timeout(OPEN_TIMEOUT, self.open::<DB>()).await {
                tracing::debug!("replaced a database connection after an abandoned statement");
                *connection = new;
                return Ok(());
            }
            if self.usage.is_closed() {
                return Err(sqlx::Error::PoolClosed);
            }
            sleep(RETRY_DELAY).await;
            limit = RETEST_TIMEOUT;
        }
    }

    async fn test<DB: Database>(
        &self,
        connection: &mut DB::Connection,
        limit: Duration,
    ) -> Condition
    where
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    {
        // If BEGIN was abandoned, only the server knows of the transaction, so this always rolls back.
        match timeout(limit, connection.execute(self.statements.rollback)).await {
            Ok(Ok(_)) => Condition::Usable,
            Ok(Err(sqlx::Error::Database(_))) => Condition::Stuck,
            Ok(Err(error)) => Condition::Broken(error),
            Err(_) => Condition::Unresponsive,
        }
    }
}
