//! Shutdown does not wait for a database that stopped responding.

use std::time::{Duration, Instant};

use rstest::rstest;
use tokio_util::sync::CancellationToken;
use unionid_bridge::scheduler;
use unionid_bridge::store::{Options, Store};

use crate::harness::{Backend, Proxy, ProxyMode, TestApp, TestDatabase, paged_world};

/// Much longer than the test waits.
const LONG: Duration = Duration::from_secs(30);

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_scheduler_stops_at_once_while_the_database_does_not_respond(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 10).await;
    let Some(database) = TestDatabase::new(backend).await else { return };
    database.store().await.close().await.unwrap();
    let proxy = Proxy::to(database.server_address().unwrap()).await;
    let (url, max_connections) = (database.url_through(proxy.address).unwrap(), 4);
    let options = Options { url, max_connections, acquire_timeout: LONG, statement_limit: LONG };
    let store = Store::connect(&options).await.unwrap();
    let app = TestApp::process(&world, database, store, "").await;
    let stop = CancellationToken::new();
    let schedule = tokio::spawn(scheduler::run(app.app.clone(), stop.clone()));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    proxy.set(ProxyMode::Blackhole);
    // Longer than the interval of the search for interrupted runs.
    tokio::time::sleep(Duration::from_secs(5)).await;
    stop.cancel();
    let stopped_at = Instant::now();
    tokio::time::timeout(LONG, schedule).await.unwrap().unwrap().unwrap();
    assert!(stopped_at.elapsed() < Duration::from_secs(2), "{:?}", stopped_at.elapsed());
}
