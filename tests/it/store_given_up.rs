//! Statements that nobody waits for any more: the caller went away, or had no more patience.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use rstest::rstest;
use unionid_bridge::store::{Options, Store, accounts};

use crate::harness::{Backend, Proxy, TestDatabase, Way};

const CONNECTIONS: u32 = 3;

async fn store_of(url: String, max_connections: u32) -> Store {
    let (acquire_timeout, statement_limit) = (Duration::from_secs(2), Duration::from_secs(20));
    let options = Options { url, max_connections, acquire_timeout, statement_limit };
    Store::connect(&options).await.unwrap()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_given_up_while_it_begins_is_nobody_elses(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let (other, store) = (database.store().await, store_of(database.url.clone(), 1).await);
    for round in 0..150 {
        let moment = Duration::from_micros(20 * round);
        let begun = tokio::time::timeout(moment, store.begin()).await;
        drop(begun);
        let appid = format!("wx{round:016x}").parse().unwrap();
        accounts::find_or_insert(&store, &appid).await.unwrap();
        let seen = accounts::find(other.reader(), &appid).await.unwrap();
        assert!(seen.is_some(), "what was written after {moment:?} is not committed");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_fell_silent_leave_their_places_to_others(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let proxy = Arc::new(Proxy::to(database.server_address().unwrap()).await);
    let store = store_of(database.url_through(proxy.address).unwrap(), CONNECTIONS).await;
    let ask = || async { tokio::time::timeout(Duration::from_millis(300), store.now()).await };
    for _ in 0..2 {
        for answer in join_all((0..CONNECTIONS).map(|_| ask())).await {
            answer.unwrap().unwrap();
        }
        proxy.set(Way::Silent);
        for answer in join_all((0..CONNECTIONS).map(|_| ask())).await {
            assert!(answer.is_err(), "{answer:?}");
        }
        proxy.set(Way::Open);
        let back = Instant::now();
        while join_all((0..CONNECTIONS).map(|_| ask())).await.iter().any(|answer| answer.is_err()) {
            assert!(back.elapsed() < Duration::from_secs(10), "no connection is left");
        }
    }
}
