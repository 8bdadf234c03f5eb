//! Database connections with a time limit on every statement.
//!
//! A server whose machine fails does not close its connections. Without a limit a caller would wait until
//! the network reports an error, and so would its lease, its locks and everything that depends on them. A
//! SQLite file cannot become unreachable, so it needs no limit.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    ExecResult, QueryResult, Statement, TransactionOptions, TransactionTrait,
};

use super::Error;
use super::pool_recovery::{Connections, ReplaceablePool};
use super::pool_state::RecentTimeouts;

/// Additional time for each row that a statement reads: a server with a slow disk reads 50,000 per second.
const TIME_PER_ROW: Duration = Duration::from_micros(20);

/// Connections with a time limit on each statement.
#[derive(Debug, Clone)]
pub struct Pool {
    shared: Arc<ReplaceablePool>,
    limits: Limits,
}

/// A transaction. It rolls back if dropped without a commit.
#[derive(Debug)]
pub struct Transaction {
    inner: DatabaseTransaction,
    limits: Limits,
}

#[derive(Debug, Clone)]
struct Limits {
    statement: Option<Duration>,
    timeouts: RecentTimeouts,
}

impl Pool {
    pub(super) fn new(connections: Connections, limit: Duration, timeouts: RecentTimeouts) -> Self {
        let is_file = connections.inner.get_database_backend() == DbBackend::Sqlite;
        let statement = (!is_file).then_some(limit);
        Self {
            shared: Arc::new(ReplaceablePool::new(connections)),
            limits: Limits { statement, timeouts },
        }
    }

    pub(super) fn shared(&self) -> &Arc<ReplaceablePool> {
        &self.shared
    }

    fn inner(&self) -> DatabaseConnection {
        self.shared.current().inner
    }

    /// Returns the same connections with a longer limit, for statements that read `rows` rows.
    pub(super) fn for_rows(&self, rows: u64) -> Self {
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        let mut pool = self.clone();
        pool.limits.statement = pool.limits.statement.map(|limit| limit + TIME_PER_ROW * rows);
        pool
    }

    /// Opens a transaction that reads first and may write afterwards.
    pub async fn begin(&self) -> Result<Transaction, Error> {
        self.begin_with(TransactionOptions::default()).await
    }

    pub(super) async fn begin_with(
        &self,
        options: TransactionOptions,
    ) -> Result<Transaction, Error> {
        let inner = self.limits.run(self.inner().begin_with_options(options)).await?;
        Ok(Transaction { inner, limits: self.limits.clone() })
    }

    pub(super) async fn ping(&self) -> Result<(), Error> {
        Ok(self.limits.run(self.inner().ping()).await?)
    }

    pub(super) async fn close(self) -> Result<(), Error> {
        Ok(self.shared.mark_closed().inner.close().await?)
    }
}

impl Transaction {
    fn inner(&self) -> &DatabaseTransaction {
        &self.inner
    }

    /// Commits. After an error that [passes soon](Error::passes_soon) the commit may have succeeded.
    pub async fn commit(self) -> Result<(), Error> {
        Ok(self.limits.run(self.inner.commit()).await?)
    }

    /// The transaction without time limits, for migrations.
    pub(super) fn unlimited(&self) -> &DatabaseTransaction {
        &self.inner
    }
}

impl Limits {
    async fn run<T>(&self, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        let mut work = pin!(work);
        // Declared after the work and so dropped before it: an abandoned statement must be recorded before
        // its connection returns to the pool, which otherwise would not test the connection.
        let guard = AbandonGuard(&self.timeouts);
        let result = match self.statement {
            Some(limit) => {
                tokio::time::timeout(limit, work.as_mut()).await.map_err(|_| too_slow())?
            }
            None => work.as_mut().await,
        };
        std::mem::forget(guard);
        result
    }
}

fn too_slow() -> DbErr {
    DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)
}

/// Records on drop that a statement was abandoned: it timed out, or its caller was dropped.
struct AbandonGuard<'a>(&'a RecentTimeouts);

impl Drop for AbandonGuard<'_> {
    fn drop(&mut self) {
        self.0.record();
    }
}

/// Implements `ConnectionTrait` so that every statement has the time limit.
macro_rules! limit_statements {
    ($connection:ty) => {
        #[async_trait]
        impl ConnectionTrait for $connection {
            fn get_database_backend(&self) -> DbBackend {
                self.inner().get_database_backend()
            }

            async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
                self.limits.run(self.inner().execute_raw(statement)).await
            }

            async fn execute_unprepared(&self, text: &str) -> Result<ExecResult, DbErr> {
                self.limits.run(self.inner().execute_unprepared(text)).await
            }

            async fn query_one_raw(
                &self,
                statement: Statement,
            ) -> Result<Option<QueryResult>, DbErr> {
                self.limits.run(self.inner().query_one_raw(statement)).await
            }

            async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
                self.limits.run(self.inner().query_all_raw(statement)).await
            }

            fn support_returning(&self) -> bool {
                self.inner().support_returning()
            }
        }
    };
}

limit_statements!(Pool);
limit_statements!(Transaction);
