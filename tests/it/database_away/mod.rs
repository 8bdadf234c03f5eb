//! T3 for who calls: the database goes away under load, and comes back.

mod load;
mod restart;

use std::time::{Duration, Instant};

use rstest::rstest;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use load::Load;

use crate::harness::{Backend, Bridge, Proxy, Serving, TestDatabase, Way, calling_back, until};

/// Nothing but requests is to be seen.
const NO_SYNC: &str = "[sync]\nenabled = false";

/// Longer than an API key is believed without the database.
const LONG: Duration = Duration::from_secs(6);

const SHORT: Duration = Duration::from_secs(1);

#[rstest]
#[case::stopped(Way::Cut, LONG)]
#[case::restarted(Way::Cut, SHORT)]
#[case::lost(Way::Silent, SHORT)]
#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_callers_are_told_so_and_it_is_taken_up_again_by_itself(
    #[case] how: Way,
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
    let serving = Serving::start(&bridge).await;
    let load = Load::new(&world, &serving, key);

    let story = async {
        until("all to be well", || load.latest().all(200)).await;
        assert_eq!(load.status("/readyz").await, 200);
        proxy.set(how);
        let cut = Instant::now();
        until("all to be refused", || load.latest().all(503)).await;
        assert!(cut.elapsed() < Duration::from_secs(3), "{:?}", cut.elapsed());
        assert_eq!((load.status("/readyz").await, load.status("/livez").await), (503, 200));
        tokio::time::sleep(away.saturating_sub(cut.elapsed())).await;
        assert!(load.latest().all(503), "{:?}", load.latest());

        proxy.set(Way::Open);
        let back = Instant::now();
        until("all to be well again", || load.latest().all(200)).await;
        assert_eq!(load.status("/readyz").await, 200);
        assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
        load.stop.cancel();
    };
    let (acknowledged, ()) = tokio::join!(load.go_on(), story);
    // Whatever was acknowledged is there. A commit whose answer was lost may be there besides.
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
