//! Statements whose caller went away or timed out, and connections that stopped responding.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use rstest::rstest;
use unionid_bridge::store::{Options, Store, accounts};

use crate::harness::{Backend, Proxy, ProxyMode, TestDatabase};

const CONNECTIONS: u32 = 3;

async fn store_of(url: String, max_connections: u32) -> Store {
    store_with_limit(url, max_connections, Duration::from_secs(20)).await
}

async fn store_with_limit(url: String, max_connections: u32, statement_limit: Duration) -> Store {
    let acquire_timeout = Duration::from_secs(2);
    let options = Options { url, max_connections, acquire_timeout, statement_limit };
    Store::connect(&options).await.unwrap()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_cancelled_while_it_begins_is_not_reused(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let (other, store) = (database.store().await, store_of(database.url.clone(), 1).await);
    for round in 0..150 {
        let moment = Duration::from_micros(20 * round);
        let transaction = tokio::time::timeout(moment, store.begin()).await;
        drop(transaction);
        let appid = format!("wx{round:016x}").parse().unwrap();
        accounts::find_or_insert(&store, &appid).await.unwrap();
        let seen = accounts::find(other.reader(), &appid).await.unwrap();
        assert!(seen.is_some(), "what was written after {moment:?} is not committed");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_times_out_while_it_begins_is_not_reused(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let other = database.store().await;
    let mut timed_out = 0;
    for round in 1..60 {
        // Timers are too coarse to meet the moment on a fast machine; without a wait it is always met.
        let moment =
            if round % 2 == 0 { Duration::from_micros(50 * round) } else { Duration::ZERO };
        let store = store_with_limit(database.url.clone(), 1, moment).await;
        timed_out += u64::from(store.begin().await.is_err());
        // Uses the only connection, without the short limit.
        let appid = format!("wx{round:016x}").parse().unwrap();
        let found = accounts::find_or_insert(&store.for_all_rows(), &appid).await;
        found.unwrap();
        let seen = accounts::find(other.reader(), &appid).await.unwrap();
        assert!(seen.is_some(), "what was written after {moment:?} is not committed");
        store.close().await.unwrap();
    }
    assert!(timed_out > 0, "no transaction timed out while it began");
}

/// While all connections are in use, none is replaced and the limit on their number holds.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn connections_in_use_are_not_replaced(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let store = store_of(database.url.clone(), CONNECTIONS).await;
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS {
        held.push(store.begin().await.unwrap());
    }
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(6) {
        let result = tokio::time::timeout(Duration::from_millis(300), store.now()).await;
        assert!(result.is_err(), "{result:?} on an additional connection");
    }
    drop(held);
    store.now().await.unwrap();
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_stop_responding_are_replaced(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let proxy = Arc::new(Proxy::to(database.server_address().unwrap()).await);
    let store = store_of(database.url_through(proxy.address).unwrap(), CONNECTIONS).await;
    let query = || async { tokio::time::timeout(Duration::from_millis(300), store.now()).await };
    for _ in 0..2 {
        for answer in join_all((0..CONNECTIONS).map(|_| query())).await {
            answer.unwrap().unwrap();
        }
        proxy.set(ProxyMode::Blackhole);
        for answer in join_all((0..CONNECTIONS).map(|_| query())).await {
            assert!(answer.is_err(), "{answer:?}");
        }
        proxy.set(ProxyMode::Forward);
        let restored = Instant::now();
        while join_all((0..CONNECTIONS).map(|_| query())).await.iter().any(|answer| answer.is_err())
        {
            assert!(restored.elapsed() < Duration::from_secs(10), "no connection is left");
        }
    }
}

/// sqlx waits forever for a connection that stops responding while sqlx tests it. Several pools with a single
/// connection each are queried all the time, so that this happens to one of them.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn pool_permits_of_dead_connections_are_recovered(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let proxy = Arc::new(Proxy::to(database.server_address().unwrap()).await);
    let url = database.url_through(proxy.address).unwrap();
    let stores = join_all((0..8).map(|_| store_of(url.clone(), 1))).await;
    let query = async |store: Store| {
        tokio::time::timeout(Duration::from_millis(300), store.now())
            .await
            .is_ok_and(|now| now.is_ok())
    };
    let callers = stores
        .iter()
        .flat_map(|store| [store; 4])
        .cloned()
        .map(|store| async move { while query(store.clone()).await {} });
    let callers = tokio::spawn(join_all(callers));
    tokio::time::sleep(Duration::from_millis(200)).await;
    proxy.set(ProxyMode::Blackhole);
    callers.await.unwrap();
    proxy.set(ProxyMode::Forward);
    let restored = Instant::now();
    for store in stores {
        while !query(store.clone()).await {
            assert!(
                restored.elapsed() < Duration::from_secs(15),
                "a dead connection still occupies the pool"
            );
        }
    }
}
