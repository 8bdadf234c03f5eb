//! The nightly probe of a few known followers must not fail the run.

use rstest::rstest;
use unionid_bridge::model::{Mode, RunState};
use unionid_bridge::sandbox::{Call, Fault, When};
use unionid_bridge::sync::Request;

use crate::harness::{Backend, TestApp, manual, paged_world};

#[tokio::test]
async fn an_account_without_the_batch_api_is_synced_by_single_calls() {
    let world = paged_world(500, 300).await;
    world.fail(Call::UserInfoBatchget, When::Always, Fault::Errcode(48001));
    let toml = "[sync]\nprofile_api = 'info'\n";
    let app = TestApp::configured(&world, Backend::Sqlite, toml).await.unwrap();
    assert_eq!(app.sync_true(&world).await.counts.fetched, 300);
    for night in 1..=3 {
        let new = world.main().join(2);
        world.main().leave([night]);
        let run = app.sync_true(&world).await;
        assert_eq!(run.counts.unfollowed, 1, "{new:?} {run:?}");
    }
}

#[tokio::test]
async fn a_binding_change_is_detected_without_the_batch_api() {
    let world = paged_world(500, 100).await;
    world.fail(Call::UserInfoBatchget, When::Always, Fault::Errcode(48001));
    let toml = "[sync]\nprofile_api = 'info'\n";
    let app = TestApp::configured(&world, Backend::Sqlite, toml).await.unwrap();
    app.sync_true(&world).await;
    world.main().rebind();
    app.sync_true(&world).await;
}

#[rstest]
#[case::for_the_probe(1..=2)]
#[case::for_all_batches(1..=100)]
#[tokio::test]
async fn an_unknown_errcode_in_the_probe_does_not_fail_the_run(
    #[case] calls: std::ops::RangeInclusive<u64>,
) {
    let world = paged_world(500, 300).await;
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    world.fail(Call::UserInfoBatchget, When::from(calls), Fault::Errcode(99_999));
    let run = app.sync().await.run;
    assert_eq!(run.state, RunState::Succeeded, "{run:?}");
    app.assert_mirrors(&world).await;
}

#[tokio::test]
async fn an_unknown_errcode_in_the_probe_does_not_hide_a_binding_change() {
    let world = paged_world(500, 300).await;
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    world.main().rebind();
    // Twice: an unknown errcode is retried once.
    world.fail(Call::UserInfo, When::from(1..=2), Fault::Errcode(99_999));
    assert_eq!(app.sync_true(&world).await.mode.as_str(), "full");
}

#[rstest]
#[tokio::test]
async fn a_rebind_is_completed_by_the_next_run_if_its_own_run_was_cancelled(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 1_000).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    world.main().rebind();
    // Only a few followers still have their old unionid, so the next probe hardly ever sees one.
    let stopped = app.sync_stopped_after(9).await.run;
    let restart = Request { restart: true, ..manual() };
    let run = app.try_sync(restart).await.unwrap().run;
    assert!(run.id != stopped.id && run.state == RunState::Succeeded, "{run:?}");
    assert_eq!((run.mode, run.counts.conflicts), (Mode::Full, 100), "{run:?}");
    app.assert_mirrors(&world).await;
}
