//! Connections to the database that do not wait for ever.
//!
//! A server whose machine is gone does not say so: who waits for its answer waits for as long as the
//! network lets them, and with them their lease, their lock and everything behind it. So no statement has
//! longer than it needs. A file does not go away like that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    ExecResult, QueryResult, Statement, TransactionOptions, TransactionTrait, sqlx,
};
use tokio::time::Instant;

use super::Error;

/// What a statement that looks at many rows may take longer for each: a server with a slow disk reads
/// 50,000 a second.
const ROW: Duration = Duration::from_micros(20);

/// For so long after a statement was given up connections that come back are looked at.
const DOUBTFUL_FOR: Duration = Duration::from_secs(10);

/// How long such a connection has to answer.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Connections, each statement on which is limited.
#[derive(Debug, Clone)]
pub struct Pool {
    shared: Arc<Shared>,
    limits: Limits,
}

/// Connections that may be made anew, until they are closed.
#[derive(Debug)]
pub(super) struct Shared {
    connections: RwLock<DatabaseConnection>,
    closed: AtomicBool,
}

impl Shared {
    pub(super) fn current(&self) -> DatabaseConnection {
        self.connections.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts others in their place, and gives those there were.
    pub(super) fn replace(&self, connections: DatabaseConnection) -> DatabaseConnection {
        let mut current = self.connections.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut current, connections)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

/// A transaction; dropped without a commit, it is undone.
#[derive(Debug)]
pub struct Transaction {
    inner: DatabaseTransaction,
    limits: Limits,
}

#[derive(Debug, Clone)]
struct Limits {
    statement: Option<Duration>,
    doubt: Doubt,
}

impl Pool {
    pub(super) fn new(connections: DatabaseConnection, limit: Duration, doubt: Doubt) -> Self {
        let is_file = connections.get_database_backend() == DbBackend::Sqlite;
        let statement = (!is_file).then_some(limit);
        let (connections, closed) = (RwLock::new(connections), AtomicBool::new(false));
        let shared = Arc::new(Shared { connections, closed });
        Self { shared, limits: Limits { statement, doubt } }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn inner(&self) -> DatabaseConnection {
        self.shared.current()
    }

    /// The same connections, for statements that look at so many rows.
    pub(super) fn for_rows(&self, rows: u64) -> Self {
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        let mut pool = self.clone();
        pool.limits.statement = pool.limits.statement.map(|limit| limit + ROW * rows);
        pool
    }

    /// Opens a transaction that reads, and may write after that.
    pub async fn begin(&self) -> Result<Transaction, Error> {
        self.begin_with(TransactionOptions::default()).await
    }

    pub(super) async fn begin_with(
        &self,
        options: TransactionOptions,
    ) -> Result<Transaction, Error> {
        let (connections, limits) = (self.inner(), self.limits.clone());
        // In a task of its own: were it given up between the database's beginning and our hearing of
        // it, the connection would go back to the others inside a transaction that nobody ends.
        let begun = tokio::spawn(async move {
            let inner = limits.keep(connections.begin_with_options(options)).await?;
            Ok(Transaction { inner, limits })
        });
        match begun.await {
            Ok(begun) => begun,
            Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
            Err(_) => Err(Error::Unavailable(too_slow())),
        }
    }

    pub(super) async fn ping(&self) -> Result<(), Error> {
        Ok(self.limits.keep(self.inner().ping()).await?)
    }

    pub(super) async fn close(self) -> Result<(), Error> {
        self.shared.closed.store(true, Ordering::Relaxed);
        Ok(self.inner().close().await?)
    }
}

impl Transaction {
    fn inner(&self) -> &DatabaseTransaction {
        &self.inner
    }

    /// Makes what was done last. After [`Error::Unavailable`] it may have been.
    pub async fn commit(self) -> Result<(), Error> {
        Ok(self.limits.keep(self.inner.commit()).await?)
    }

    /// Undoes what was done.
    pub async fn rollback(self) -> Result<(), Error> {
        Ok(self.limits.keep(self.inner.rollback()).await?)
    }

    /// For migrations, which take as long as they take.
    pub(super) fn unlimited(&self) -> &DatabaseTransaction {
        &self.inner
    }
}

impl Limits {
    async fn keep<T>(&self, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        let given_up = GivenUp(&self.doubt);
        let done = match self.statement {
            Some(limit) => tokio::time::timeout(limit, work).await.map_err(|_| too_slow())?,
            None => work.await,
        };
        std::mem::forget(given_up);
        done
    }
}

fn too_slow() -> DbErr {
    DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)
}

/// Notes a statement that nobody waits for any more.
struct GivenUp<'a>(&'a Doubt);

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        self.0.note();
    }
}

/// Whether connections that come back are to be looked at: one whose statement was given up may never
/// hear of its database again, and would be waited for, in a place that no other can take.
#[derive(Debug, Clone, Default)]
pub(super) struct Doubt(Arc<Mutex<Option<Instant>>>);

impl Doubt {
    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a statement was given up a short while ago.
    pub(super) fn is_recent(&self) -> bool {
        let noted = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.is_some_and(|at| at.elapsed() < DOUBTFUL_FOR)
    }

    /// Whether a connection that comes back can be used again; an error has it cut.
    pub(super) async fn is_well<C: sqlx::Connection>(
        &self,
        connection: &mut C,
    ) -> Result<bool, sqlx::Error> {
        if !self.is_recent() {
            return Ok(true);
        }
        let answered = tokio::time::timeout(LAST_WORD, connection.ping()).await;
        answered.map_err(|_| sqlx::Error::PoolTimedOut)?.map(|()| true)
    }
}

/// Every statement passes here.
macro_rules! limit_statements {
    ($connection:ty) => {
        #[async_trait]
        impl ConnectionTrait for $connection {
            fn get_database_backend(&self) -> DbBackend {
                self.inner().get_database_backend()
            }

            async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
                self.limits.keep(self.inner().execute_raw(statement)).await
            }

            async fn execute_unprepared(&self, text: &str) -> Result<ExecResult, DbErr> {
                self.limits.keep(self.inner().execute_unprepared(text)).await
            }

            async fn query_one_raw(
                &self,
                statement: Statement,
            ) -> Result<Option<QueryResult>, DbErr> {
                self.limits.keep(self.inner().query_one_raw(statement)).await
            }

            async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
                self.limits.keep(self.inner().query_all_raw(statement)).await
            }

            fn support_returning(&self) -> bool {
                self.inner().support_returning()
            }
        }
    };
}

limit_statements!(Pool);
limit_statements!(Transaction);
