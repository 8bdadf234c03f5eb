//! A process that lost the run or its pages changes neither the mirror nor the run.

use std::sync::{Arc, Mutex};

use entity::sync_page;
use rstest::rstest;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use unionid_bridge::model::{Run, RunId, RunState};
use unionid_bridge::sandbox::{Call, Fault, When};
use unionid_bridge::store::{Store, runs};
use unionid_bridge::sync;

use crate::harness::{Backend, TestApp, manual, paged_world, take_over};

#[rstest]
#[case::that_ends_a_run(48001)]
#[case::that_pauses_a_run(45009)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_after_losing_the_lease_does_not_change_the_run(
    #[case] errcode: i64,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 600).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    world.fail(Call::UserGet, When::from(3..), Fault::Errcode(errcode));
    let other = app.replica(&world).await;
    let (store, runtime) = (other.app.store.clone(), Handle::current());
    let taken = Arc::new(Mutex::new(None));
    let slot = taken.clone();
    let observer = move |run: &Run, _| {
        if run.counts.pages == 2 {
            let taking = async {
                take_over(store.clone(), run.appid.clone(), run.id).await;
                runs::find(store.reader(), run.id).await.unwrap().unwrap()
            };
            let record = tokio::task::block_in_place(|| runtime.block_on(taking));
            *slot.lock().unwrap() = Some(record);
        }
    };
    let job = app.job(CancellationToken::new()).await;
    // The order of the error and the loss of the lease does not matter.
    let outcome = sync::run(&sync::Job { observer: Arc::new(observer), ..job }, manual()).await;
    let taken = taken.lock().unwrap().take().unwrap();
    let (reader, id) = (app.app.store.reader(), taken.run.id);
    assert_eq!(runs::find(reader, id).await.unwrap().as_ref(), Some(&taken), "{outcome:?}");
    assert_eq!(runs::list_pages(reader, id).await.unwrap().len(), 2, "{outcome:?}");

    world.clear_faults();
    let run = other.sync_true(&world).await;
    assert_eq!((run.id, run.resumed_at_page, run.counts.unfollowed), (id, Some(3), 0));
}

/// Deletes a page of a run's checkpoint.
async fn lose_page(store: &Store, run: RunId, page: i64) {
    let rows = sync_page::Entity::delete_many()
        .filter(sync_page::Column::RunId.eq(run))
        .filter(sync_page::Column::Page.eq(page));
    assert_eq!(rows.exec(store.writer()).await.unwrap().rows_affected, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_with_missing_pages_does_not_sweep() {
    let world = paged_world(10, 60).await;
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    let (store, runtime) = (app.app.store.clone(), Handle::current());
    let observer = move |run: &Run| {
        if run.counts.pages == 5 {
            tokio::task::block_in_place(|| runtime.block_on(lose_page(&store, run.id, 2)));
        }
    };
    let run = app.sync_observed(observer).await.run;
    assert_ne!(run.state, RunState::Succeeded, "{run:?}");
    assert_eq!(run.counts.unfollowed, 0);
    app.assert_mirrors(&world).await;
    let next = app.sync_true(&world).await;
    assert_ne!(next.id, run.id);
}

#[rstest]
#[case::the_first(1)]
#[case::one_in_the_middle(2)]
#[case::the_last(4)]
#[tokio::test]
async fn a_resumed_run_with_a_missing_page_marks_nobody(#[case] page: i64) {
    let world = paged_world(10, 60).await;
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    let stopped = app.sync_stopped_after(4).await.run;
    lose_page(&app.app.store, stopped.id, page).await;
    let run = app.sync().await.run;
    assert_eq!(run.counts.unfollowed, 0, "{run:?}");
    app.assert_mirrors(&world).await;
    app.sync_true(&world).await;
}
