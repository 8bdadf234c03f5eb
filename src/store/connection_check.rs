//! The way of a server's connection to its first user, and from one user to the next.
//!
//! A connection may come back with the remains of its last use: a statement that still runs on the
//! server, a transaction that nobody ends, or a server that will never answer. One that cannot be used
//! again is replaced in its place by a new one. Merely to tell the pool that it is bad would not do: sqlx
//! waits without a limit for a TLS connection to end, and the server would go on with the statement.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::pool::PoolOptions;
use sea_orm::sqlx::{self, ConnectOptions, Connection, Database, Executor};
use tokio::time::{sleep, timeout};

use super::pool_state::{PoolUsage, RecentTimeouts};

/// How long a doubtful connection has to answer, and how long once no other could be opened.
const LAST_WORD: Duration = Duration::from_secs(2);
const ONE_MORE_WORD: Duration = Duration::from_millis(500);

/// How long a new connection may take to open, and the pause after one that could not be opened.
const OPENS_WITHIN: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(200);

/// A connection that comes back after more than this is closed: the server frees its memory, and after a
/// failover no connection stays with the old server. The pool's own limit would pass over the test.
const LONGEST_LIFE: Duration = Duration::from_mins(30);

/// Statements by which a kind of server is made to work for us.
#[derive(Debug, Clone, Copy)]
pub(super) struct SessionStatements {
    /// The first on each connection.
    pub(super) first: &'static str,
    /// The second, which the server may refuse.
    pub(super) wish: &'static str,
    /// Ends whatever transaction there is, and does nothing where there is none.
    pub(super) end: &'static str,
}

/// A server, and the state of the connections to it.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) url: Arc<str>,
    pub(super) phrases: SessionStatements,
    pub(super) doubt: RecentTimeouts,
    pub(super) traffic: Arc<PoolUsage>,
}

/// The pool's options with all that happens to its connections.
pub(super) fn watched<DB: Database>(pool: PoolOptions<DB>, line: &Server) -> PoolOptions<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let (opened, taken, released) = (line.clone(), line.traffic.clone(), line.clone());
    pool.max_lifetime(None)
        .after_connect(move |connection, _| {
            let line = opened.clone();
            Box::pin(async move {
                line.greet::<DB>(connection).await?;
                line.traffic.count_taken();
                Ok(())
            })
        })
        .before_acquire(move |_, _| {
            taken.count_taken();
            Box::pin(std::future::ready(Ok(true)))
        })
        .after_release(move |connection, now| {
            let line = released.clone();
            Box::pin(async move {
                let made_well = line.make_well::<DB>(connection).await;
                line.traffic.count_back();
                made_well.map(|()| now.age < LONGEST_LIFE)
            })
        })
}

/// The state in which a connection comes back.
enum Condition {
    Well,
    Broken(sqlx::Error),
    Silent,
    /// Alive, and it refuses to end a transaction.
    Stuck,
}

impl Server {
    async fn open<DB: Database>(&self) -> Result<DB::Connection, sqlx::Error>
    where
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    {
        let options: <DB::Connection as Connection>::Options = self.url.parse()?;
        let mut connection = options.disable_statement_logging().connect().await?;
        self.greet::<DB>(&mut connection).await?;
        Ok(connection)
    }

    async fn greet<DB: Database>(&self, connection: &mut DB::Connection) -> Result<(), sqlx::Error>
    where
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    {
        connection.execute(self.phrases.first).await?;
        match connection.execute(self.phrases.wish).await {
            Err(error @ sqlx::Error::Database(_)) => {
                tracing::debug!(%error, "the server refuses a setting that is not essential");
                Ok(())
            }
            done => done.map(drop),
        }
    }

    /// Sees to it that a connection that comes back can be used again, if need be by replacing it. Keeps
    /// its place until that is done; an error leaves the place to another.
    async fn make_well<DB: Database>(
        &self,
        connection: &mut DB::Connection,
    ) -> Result<(), sqlx::Error>
    where
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    {
        if !self.doubt.is_recent() {
            return Ok(());
        }
        let mut patience = LAST_WORD;
        loop {
            match self.test::<DB>(connection, patience).await {
                Condition::Well => return Ok(()),
                Condition::Broken(error) => return Err(error),
                Condition::Silent | Condition::Stuck => {}
            }
            if let Ok(Ok(new)) = timeout(OPENS_WITHIN, self.open::<DB>()).await {
                tracing::debug!("a connection on which a statement was given up is replaced");
                *connection = new;
                return Ok(());
            }
            if self.traffic.has_ended() {
                return Err(sqlx::Error::PoolClosed);
            }
            sleep(PAUSE).await;
            patience = ONE_MORE_WORD;
        }
    }

    async fn test<DB: Database>(
        &self,
        connection: &mut DB::Connection,
        patience: Duration,
    ) -> Condition
    where
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    {
        // A transaction whose beginning was given up is known to nobody but the server.
        match timeout(patience, connection.execute(self.phrases.end)).await {
            Ok(Ok(_)) => Condition::Well,
            Ok(Err(sqlx::Error::Database(_))) => Condition::Stuck,
            Ok(Err(error)) => Condition::Broken(error),
            Err(_) => Condition::Silent,
        }
    }
}
