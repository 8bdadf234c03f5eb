//! A write that is repeated because its commit was acknowledged too late takes effect once.

use rstest::rstest;
use unionid_bridge::store::quarantine::{self, Conflict};
use unionid_bridge::store::runs::{self, Page};

use crate::harness::{Backend, TestApp, paged_world};

#[rstest]
#[tokio::test]
async fn a_page_written_twice_is_stored_once(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let (run, store) = (app.sync_true(&world).await.id, &app.app.store);
    let page = Page {
        next_openid: "oNext".to_owned(),
        seen: (1..5).collect(),
        deferred: vec!["oLater".parse().unwrap()],
    };
    for _ in 0..2 {
        let transaction = store.begin().await.unwrap();
        runs::insert_page(&transaction, run, 1, &page).await.unwrap();
        transaction.commit().await.unwrap();
    }
    assert_eq!(runs::list_pages(store.reader(), run).await.unwrap(), [page]);
}

#[rstest]
#[tokio::test]
async fn a_unionid_conflict_recorded_twice_by_a_run_is_stored_once(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let (first, second) = (app.sync_true(&world).await.id, app.sync_true(&world).await.id);
    let job = app.job(Default::default()).await;
    let text = |text: &str| text.parse().unwrap();
    let changed = |openid, new: &str| Conflict {
        openid: text(openid),
        old: "uOld".parse().unwrap(),
        new: new.parse().unwrap(),
    };
    let conflicts = [changed("oFirst", "uNew"), changed("oSecond", "uOther")];
    for run in [first, first, second] {
        let transaction = app.app.store.begin().await.unwrap();
        let recorded = quarantine::record_conflicts(&transaction, job.account, run, &conflicts, 9);
        recorded.await.unwrap();
        transaction.commit().await.unwrap();
    }
    // The same conflict found by another run is recorded separately.
    assert_eq!(app.conflicts().await.len(), 4);
}
