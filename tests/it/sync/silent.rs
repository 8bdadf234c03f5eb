//! The database stops responding without closing connections, as after a power failure of its machine.

use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;
use unionid_bridge::model::Run;
use unionid_bridge::sandbox::Call;
use unionid_bridge::store::{Options, Store};

use crate::harness::{
    Backend, Proxy, ProxyMode, TestApp, TestDatabase, assert_calls, assert_mirrors, paged_world,
};

const SOON: Duration = Duration::from_secs(1);

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_run_continues_after_its_database_stopped_responding(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
    #[values(2, 5)] silent_after: u64,
) {
    let world = paged_world(50, 500).await;
    let Some(database) = TestDatabase::new(backend).await else { return };
    database.store().await.close().await.unwrap();
    let proxy = Arc::new(Proxy::to(database.server_address().unwrap()).await);
    let mut far = database.clone();
    far.url = database.url_through(proxy.address).unwrap();
    let (url, max_connections) = (far.url.clone(), 8);
    let options = Options { url, max_connections, acquire_timeout: SOON, statement_limit: SOON };
    let store = Store::connect(&options).await.unwrap();
    let app = TestApp::process(&world, far, store, "").await;
    let observer = move |run: &Run| {
        if run.counts.pages == silent_after {
            proxy.set(ProxyMode::Blackhole);
            let proxy = proxy.clone();
            tokio::spawn(async move {
                tokio::time::sleep(SOON / 2).await;
                proxy.set(ProxyMode::Forward);
            });
        }
    };
    let outcome = tokio::time::timeout(Duration::from_secs(60), app.sync_observed(observer)).await;
    let outcome = outcome.expect("the run hangs");
    assert_eq!(outcome.run.state.as_str(), "succeeded", "{outcome:?}");
    // Checks through a direct connection, because connections through the proxy may still be dead.
    let direct = database.connect().await;
    assert_mirrors(&direct, &world, &app.account.appid, &[]).await;
    assert_calls(&world, Call::UserGet, 11, 0);
}
