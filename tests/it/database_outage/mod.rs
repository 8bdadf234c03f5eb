//! T3 for callers: the database becomes unreachable under load and recovers.

mod load;
mod restart;

use std::time::{Duration, Instant};

use rstest::rstest;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use load::Load;

use crate::harness::{
    Backend, Bridge, Proxy, ProxyMode, ServeProcess, TestDatabase, calling_back, until,
};

/// Disables syncs, so that only requests matter.
const NO_SYNC: &str = "[sync]\nenabled = false";

/// Longer than API keys are cached without the database.
const LONG: Duration = Duration::from_secs(6);

const SHORT: Duration = Duration::from_secs(1);

#[rstest]
#[case::stopped(ProxyMode::Close, LONG)]
#[case::restarted(ProxyMode::Close, SHORT)]
#[case::lost(ProxyMode::Blackhole, SHORT)]
#[tokio::test(flavor = "multi_thread")]
async fn requests_get_503_during_a_database_outage_and_recover_by_themselves(
    #[case] how: ProxyMode,
    #[case] away: Duration,
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(50).await;
    let Some(database) = TestDatabase::new(backend).await else { return };
    let proxy = Proxy::to(database.server_address().unwrap()).await;
    let url = database.url_through(proxy.address).unwrap();
    let bridge = Bridge::on(&world, &url, NO_SYNC);
    assert_eq!(bridge.run(&["sync"]).await.status.code(), Some(0));
    let key = bridge.key("login,resolve").await;
    let serving = ServeProcess::start(&bridge).await;
    let load = Load::new(&world, &serving, key);

    let scenario = async {
        until("all to succeed", || load.latest().all(200)).await;
        assert_eq!(load.status("/readyz").await, 200);
        proxy.set(how);
        let cut_at = Instant::now();
        until("all to fail", || load.latest().all(503)).await;
        assert!(cut_at.elapsed() < Duration::from_secs(3), "{:?}", cut_at.elapsed());
        assert_eq!((load.status("/readyz").await, load.status("/livez").await), (503, 200));
        tokio::time::sleep(away.saturating_sub(cut_at.elapsed())).await;
        assert!(load.latest().all(503), "{:?}", load.latest());

        proxy.set(ProxyMode::Forward);
        let restored_at = Instant::now();
        until("all to succeed again", || load.latest().all(200)).await;
        assert_eq!(load.status("/readyz").await, 200);
        assert!(restored_at.elapsed() < Duration::from_secs(5), "{:?}", restored_at.elapsed());
        load.stop.cancel();
    };
    let (acknowledged, ()) = tokio::join!(load.run(), scenario);
    // All acknowledged events are stored. Commits whose answer was lost may be stored too.
    let store = database.connect().await;
    let left = entity::follower::Entity::find();
    let left = left.filter(entity::follower::Column::Subscribed.eq(false));
    let left = left.count(store.reader()).await.unwrap();
    assert!(
        (acknowledged..=acknowledged + 2).contains(&left),
        "{left}, {acknowledged} acknowledged"
    );
    drop(load);
    assert_eq!(serving.stop().await.0, Some(0));
}
