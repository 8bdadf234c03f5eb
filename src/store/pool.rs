//! Connections to the database that do not wait for ever.
//!
//! A server whose machine is gone does not say so: who waits for its answer waits for as long as the
//! network lets them, and with them their lease, their lock and everything behind it. So no statement has
//! longer than it needs. A file does not go away like that.

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

/// What a statement that looks at many rows may take longer for each: a server with a slow disk reads
/// 50,000 a second.
const ROW: Duration = Duration::from_micros(20);

/// Connections, each statement on which is limited.
#[derive(Debug, Clone)]
pub struct Pool {
    shared: Arc<ReplaceablePool>,
    limits: Limits,
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
    doubt: RecentTimeouts,
}

impl Pool {
    pub(super) fn new(connections: Connections, limit: Duration, doubt: RecentTimeouts) -> Self {
        let is_file = connections.inner.get_database_backend() == DbBackend::Sqlite;
        let statement = (!is_file).then_some(limit);
        Self {
            shared: Arc::new(ReplaceablePool::new(connections)),
            limits: Limits { statement, doubt },
        }
    }

    pub(super) fn shared(&self) -> &Arc<ReplaceablePool> {
        &self.shared
    }

    fn inner(&self) -> DatabaseConnection {
        self.shared.current().inner
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
        let inner = self.limits.keep(self.inner().begin_with_options(options)).await?;
        Ok(Transaction { inner, limits: self.limits.clone() })
    }

    pub(super) async fn ping(&self) -> Result<(), Error> {
        Ok(self.limits.keep(self.inner().ping()).await?)
    }

    pub(super) async fn close(self) -> Result<(), Error> {
        Ok(self.shared.end().inner.close().await?)
    }
}

impl Transaction {
    fn inner(&self) -> &DatabaseTransaction {
        &self.inner
    }

    /// Makes what was done last. After an error that [passes soon](Error::passes_soon) it may have been.
    pub async fn commit(self) -> Result<(), Error> {
        Ok(self.limits.keep(self.inner.commit()).await?)
    }

    /// For migrations, which take as long as they take.
    pub(super) fn unlimited(&self) -> &DatabaseTransaction {
        &self.inner
    }
}

impl Limits {
    async fn keep<T>(&self, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        let mut work = pin!(work);
        // Declared after the work and so dropped before it: a statement that is given up is noted before
        // its connection goes back, which would otherwise not be tested.
        let given_up = GivenUp(&self.doubt);
        let done = match self.statement {
            Some(limit) => {
                tokio::time::timeout(limit, work.as_mut()).await.map_err(|_| too_slow())?
            }
            None => work.as_mut().await,
        };
        std::mem::forget(given_up);
        done
    }
}

fn too_slow() -> DbErr {
    DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)
}

/// Notes a statement that nobody waits for any more.
struct GivenUp<'a>(&'a RecentTimeouts);

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        self.0.note();
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
