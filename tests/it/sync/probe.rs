//! The nightly probe of a few known followers must not fail the run.

use rstest::rstest;
use unionid_bridge::model::RunState;
use unionid_bridge::sandbox::{Call, Fault, When};

use crate::harness::{Backend, TestApp, paged_world};

#[tokio::test]
async fn an_account_that_is_refused_batches_is_synced_one_by_one_night_after_night() {
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
async fn an_account_that_is_refused_batches_notices_that_it_was_bound_elsewhere() {
    let world = paged_world(500, 100).await;
    world.fail(Call::UserInfoBatchget, When::Always, Fault::Errcode(48001));
    let toml = "[sync]\nprofile_api = 'info'\n";
    let app = TestApp::configured(&world, Backend::Sqlite, toml).await.unwrap();
    app.sync_true(&world).await;
    world.main().rebind();
    app.sync_true(&world).await;
}

#[rstest]
#[case::of_the_handful(1..=2)]
#[case::of_all(1..=100)]
#[tokio::test]
async fn an_unknown_errcode_for_the_handful_does_not_fail_a_quiet_night(
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
async fn an_unknown_errcode_for_one_of_the_handful_hides_no_other_binding() {
    let world = paged_world(500, 300).await;
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    world.main().rebind();
    // Twice: an unknown errcode is retried once.
    world.fail(Call::UserInfo, When::from(1..=2), Fault::Errcode(99_999));
    assert_eq!(app.sync_true(&world).await.mode.as_str(), "full");
}
