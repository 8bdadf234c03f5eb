//! Interrupted runs: the same run resumes at its last committed page and misses nobody.

use std::sync::Arc;

use rstest::rstest;
use sea_orm::EntityTrait;
use sea_orm::sea_query::Expr;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use unionid_bridge::model::{Run, RunState};
use unionid_bridge::sandbox::Call;
use unionid_bridge::store::runs;
use unionid_bridge::sync::{self, Request};

use crate::harness::{Backend, TestApp, assert_calls, manual, paged_world, take_over};

#[rstest]
#[tokio::test]
async fn a_first_run_stopped_between_pages_resumes_at_the_next_page(
    #[values(1, 9)] pages: u64,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 1_000).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let stopped = app.sync_stopped_after(pages).await.run;
    assert_eq!((stopped.state, stopped.counts.pages), (RunState::Paused, pages));
    assert_eq!(app.mirror().await.len() as u64, pages * 100);
    // Another process resumes it.
    let next = app.replica(&world).await;
    let run = next.sync_true(&world).await;
    assert_eq!((run.id, run.resumed_at_page), (stopped.id, Some(pages + 1)));
    assert_eq!((run.counts.pages, run.counts.fetched), (10, 1_000));
    // Calls in flight when it stopped are repeated: at most five pages, and a probe.
    assert_calls(&world, Call::UserGet, 11, 10);
    assert_calls(&world, Call::UserInfoBatchget, 11, 32);
}

#[rstest]
#[tokio::test]
async fn followers_postponed_to_a_later_page_are_kept_across_a_stop(
    #[values(4, 10)] pages: u64,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 1_000).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    world.main().join(70);
    world.main().leave(0..20);
    world.reset_stats();
    let stopped = app.sync_stopped_after(pages).await.run;
    // Seventy do not fill a batch, so all of them are postponed to the last page.
    assert_eq!((stopped.counts.pages, stopped.counts.fetched), (pages, 0));
    assert!(stopped.counts.listed > stopped.counts.known);
    let run = app.sync_true(&world).await;
    assert_eq!((run.id, run.counts.pages), (stopped.id, 11));
    assert_eq!((run.counts.known, run.counts.fetched, run.counts.unfollowed), (980, 70, 20));
    assert_calls(&world, Call::UserInfoBatchget, 4, 1);
    assert_calls(&world, Call::UserInfo, 0, 0);
}

#[tokio::test]
async fn a_run_stopped_after_every_page_still_succeeds() {
    let world = paged_world(100, 500).await;
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    world.main().join(30);
    let mut last = 0;
    for pages in 1..=5 {
        let run = app.sync_stopped_after(pages).await.run;
        assert!(last == 0 || last == run.id);
        last = run.id;
    }
    let run = app.sync_true(&world).await;
    assert_eq!((run.id, run.counts.known, run.counts.fetched), (last, 500, 30));
}

/// Moves the start of every run back by `hours`.
async fn let_hours_pass(app: &TestApp, hours: i64) {
    use entity::sync_run::{Column, Entity};
    let record = runs::list(app.app.store.reader(), None, 1).await.unwrap().remove(0);
    let started_at = record.started_at.timestamp_millis() - hours * 60 * 60 * 1_000;
    Entity::update_many()
        .col_expr(Column::StartedAt, Expr::value(started_at))
        .exec(app.app.store.writer())
        .await
        .unwrap();
}

#[rstest]
#[case::after_13_days(13 * 24, true)]
#[case::after_15_days(15 * 24, false)]
#[tokio::test]
async fn a_run_older_than_two_weeks_is_not_resumed(
    #[case] hours: i64,
    #[case] is_resumed: bool,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 1_000).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let stopped = app.sync_stopped_after(4).await.run;
    let_hours_pass(&app, hours).await;
    // Some users on the pages that were listed have left since.
    world.main().leave(0..40);
    let run = app.sync().await.run;
    assert_eq!(run.state, RunState::Succeeded, "{run:?}");
    assert_eq!(run.id == stopped.id, is_resumed);
    let old = runs::find(app.app.store.reader(), stopped.id).await.unwrap().unwrap().run;
    if !is_resumed {
        assert_eq!(old.state, RunState::Cancelled);
        assert!(old.error.unwrap().contains("too old"));
        app.assert_mirrors(&world).await;
    }
    app.sync_true(&world).await;
}

#[tokio::test]
async fn a_restart_replaces_the_interrupted_run() {
    let world = paged_world(100, 500).await;
    let app = TestApp::against(&world).await;
    let stopped = app.sync_stopped_after(2).await.run;
    let run = app.try_sync(Request { restart: true, ..manual() }).await.unwrap().run;
    assert_ne!(run.id, stopped.id);
    assert_eq!((run.state, run.counts.listed), (RunState::Succeeded, 500));
    app.assert_mirrors(&world).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_taken_over_by_another_process_writes_nothing_more(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 600).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let other = app.replica(&world).await;
    let (store, runtime) = (other.app.store.clone(), Handle::current());
    let observer = move |run: &Run, _| {
        if run.counts.pages == 2 {
            let taking = take_over(store.clone(), run.appid.clone(), run.id);
            tokio::task::block_in_place(|| runtime.block_on(taking));
        }
    };
    let job = app.job(CancellationToken::new()).await;
    let job = sync::Job { observer: Arc::new(observer), ..job };
    let outcome = sync::run(&job, manual()).await;
    assert!(matches!(outcome, Err(sync::Error::LeaseLost(_))), "{outcome:?}");
    assert_eq!(app.mirror().await.len(), 200);
    let run = other.sync_true(&world).await;
    assert_eq!(run.resumed_at_page, Some(3));
}
