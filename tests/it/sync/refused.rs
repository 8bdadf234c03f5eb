//! WeChat refuses the profiles of some followers permanently, or of all followers at once.

use rstest::rstest;
use unionid_bridge::model::RunState;
use unionid_bridge::sandbox::{Call, Fault, Quirk, When};

use crate::harness::{TestApp, paged_world};

#[tokio::test]
async fn many_quarantined_followers_do_not_fail_a_run() {
    let world = paged_world(500, 3_000).await;
    let poisoned: Vec<u64> = (0..150).map(|n| n * 20).collect();
    world.main().quirk(poisoned.clone(), Quirk::Poison);
    let app = TestApp::against(&world).await;
    for night in 0..3 {
        let run = app.sync().await.run;
        assert_eq!(run.state, RunState::Succeeded, "night {night}: {run:?}");
        assert_eq!((run.counts.quarantined, run.counts.unfollowed), (150, 0));
        assert_eq!(app.quarantine().await.len(), 150);
        app.assert_mirrors_all_but(&world, &poisoned).await;
    }
}

#[rstest]
#[case(5)]
#[case(60)]
#[case(100)]
#[tokio::test]
async fn a_fully_refused_small_account_fails_without_a_quarantine(#[case] followers: u64) {
    let world = paged_world(500, followers).await;
    world.main().quirk(0..followers, Quirk::Poison);
    let app = TestApp::against(&world).await;
    let run = app.sync().await.run;
    assert_eq!(run.state, RunState::Failed, "{run:?}");
    assert!(run.error.as_ref().unwrap().contains("40003"), "{run:?}");
    assert_eq!(app.quarantine().await.len(), 0);
    world.main().clear_quirks(0..followers);
    app.sync_true(&world).await;
}

#[tokio::test]
async fn html_instead_of_every_profile_quarantines_nobody() {
    let world = paged_world(500, 60).await;
    world.fail(Call::UserInfoBatchget, When::Always, Fault::Html);
    world.fail(Call::UserInfo, When::Always, Fault::Html);
    let app = TestApp::against(&world).await;
    let run = app.sync().await.run;
    assert_ne!(run.state, RunState::Succeeded, "{run:?}");
    assert!(run.error.is_some());
    assert_eq!(app.quarantine().await.len(), 0);
    world.clear_faults();
    app.sync_true(&world).await;
}
