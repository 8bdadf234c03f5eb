//! Queries that scan the rows of all accounts may exceed the statement limit.

use std::time::Duration;

use rstest::rstest;
use sea_orm::ConnectionTrait;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use unionid_bridge::sandbox::{Call, Sandbox};
use unionid_bridge::store::{Options, Store};
use unionid_bridge::sync;

use crate::harness::{Backend, TestApp, TestDatabase, paged_world};

/// The statement limit.
const LIMIT: Duration = Duration::from_millis(1_000);
/// How long a table is locked: less than MariaDB's lock timeout.
const HELD_FOR: Duration = Duration::from_millis(2_200);

const AFTER_30_DAYS: &str = "[privacy]\nforget_unfollowed_after_days = 30";

/// An application with a short statement limit, and another connection to the same database.
async fn app_with_short_limit(world: &Sandbox, backend: Backend) -> Option<(TestApp, Store)> {
    let database = TestDatabase::new(backend).await?;
    let other = database.store().await;
    let (url, max_connections) = (database.url.clone(), 4);
    let acquire_timeout = Duration::from_secs(5);
    let options = Options { url, max_connections, acquire_timeout, statement_limit: LIMIT };
    let store = Store::connect(&options).await.unwrap();
    let app = TestApp::process(world, database, store, AFTER_30_DAYS).await;
    app.sync_true(world).await;
    Some((app, other))
}

/// Locks a table for [`HELD_FOR`].
async fn lock_table(store: &Store, backend: Backend, table: &str) -> AbortOnDropHandle<()> {
    let transaction = store.begin().await.unwrap();
    let (lock, unlock) = match backend {
        Backend::Mysql => (format!("LOCK TABLES {table} WRITE"), "UNLOCK TABLES"),
        _ => (format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"), "SELECT 1"),
    };
    transaction.execute_unprepared(&lock).await.unwrap();
    AbortOnDropHandle::new(tokio::spawn(async move {
        tokio::time::sleep(HELD_FOR).await;
        transaction.execute_unprepared(unlock).await.unwrap();
        drop(transaction);
    }))
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn erasure_of_departed_followers_and_dry_runs_may_exceed_the_time_limit(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 50).await;
    let Some((app, other)) = app_with_short_limit(&world, backend).await else { return };
    let _lock = lock_table(&other, backend, "follower").await;
    let forgotten = app.app.erase_departed(&CancellationToken::new()).await;
    assert_eq!(forgotten.unwrap(), Some(0));

    let _lock = lock_table(&other, backend, "follower").await;
    let forecast = sync::dry_run(&app.job(CancellationToken::new()).await, false).await.unwrap();
    assert_eq!((forecast.known, forecast.departures), (50, 0));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_database_before_a_sync_costs_no_extra_wechat_calls(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 50).await;
    let Some((app, other)) = app_with_short_limit(&world, backend).await else { return };
    let calls = async || {
        world.reset_stats();
        app.sync_true(&world).await;
        [Call::UserGet, Call::UserInfoBatchget, Call::UserInfo].map(|call| world.requests(call))
    };
    let quick = calls().await;
    let _lock = lock_table(&other, backend, "quarantine").await;
    assert_eq!(calls().await, quick);
}
