//! A run stops quickly while it waits for any WeChat call.

use std::time::Duration;

use rstest::rstest;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use unionid_bridge::model::RunState;
use unionid_bridge::sandbox::{Call, Fault, Quirk, Sandbox, When};
use unionid_bridge::sync;

use crate::harness::{TestApp, manual, paged_world, person_at, until};

/// Slows down a call, stops the run during it, and asserts that the run ends within a second.
async fn assert_stops_during(app: &TestApp, world: &Sandbox, call: Call) {
    world.reset_stats();
    world.fail(call, When::Always, Fault::Stall(Duration::from_secs(6)));
    let stop = CancellationToken::new();
    let job = app.job(stop.clone()).await;
    let stopping = async {
        until("the call", || world.requests(call) > 0).await;
        stop.cancel();
        Instant::now()
    };
    let (outcome, stopped_at) = tokio::join!(sync::run(&job, manual()), stopping);
    let took = stopped_at.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?} {outcome:?}");
    let outcome = outcome.unwrap();
    assert!(matches!(outcome.error, Some(sync::Error::Stopped)), "{outcome:?}");
    assert_eq!(outcome.run.state, RunState::Paused);
    world.clear_faults();
    assert_eq!(app.sync_true(world).await.id, outcome.run.id);
}

#[rstest]
#[case::the_nightly_probe(Call::UserInfoBatchget)]
#[case::the_follower_list(Call::UserGet)]
#[tokio::test]
async fn a_run_stops_within_a_second_during(#[case] call: Call) {
    let world = paged_world(100, 300).await;
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    assert_stops_during(&app, &world, call).await;
}

#[tokio::test]
async fn a_run_stops_within_a_second_while_confirming_changed_unionids() {
    let world = paged_world(100, 300).await;
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    world.main().rebind();
    assert_stops_during(&app, &world, Call::UserInfo).await;
}

#[tokio::test]
async fn a_run_stops_within_a_second_while_checking_a_unionid_conflict() {
    let world = paged_world(500, 300).await;
    world.main().quirk([7], Quirk::UnionidOf(300));
    let app = TestApp::against(&world).await;
    app.sync().await;
    world.main().clear_quirks([7]);
    world.main().join(1);
    assert_stops_during(&app, &world, Call::UserInfo).await;
}

#[rstest]
#[case::on_one_page(8)]
#[case::on_different_pages(250)]
#[tokio::test]
async fn a_first_sync_stops_within_a_second_while_checking_a_unionid(#[case] index: usize) {
    let world = paged_world(100, 300).await;
    let other = person_at(&world, index);
    world.main().quirk([person_at(&world, 7)], Quirk::UnionidInBatchOf(other));
    let app = TestApp::against(&world).await;
    assert_stops_during(&app, &world, Call::UserInfo).await;
}
