//! Unionids that are missing, arrive late, or change: never lost, never wrong, always reported.

use std::collections::BTreeMap;

use rstest::rstest;
use unionid_bridge::model::Mode;
use unionid_bridge::sandbox::{Call, Quirk};

use crate::harness::{Backend, TestApp, assert_calls, full, paged_world};

#[tokio::test]
async fn unionids_missing_from_a_batch_are_fetched_one_by_one() {
    let world = paged_world(500, 1_000).await;
    world.main().quirk(10..15, Quirk::NoUnionidInBatch);
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    assert_calls(&world, Call::UserInfo, 5, 0);
    assert_calls(&world, Call::UserInfoBatchget, 10, 0);
    world.reset_stats();
    app.sync_true(&world).await;
    assert_calls(&world, Call::UserInfo, 0, 0);
}

#[rstest]
#[tokio::test]
async fn an_unbound_account_gets_a_warning_and_no_call_per_follower(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 1_000).await;
    world.main().unbind();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    for (night, batches) in [(1, 10), (2, 1), (3, 1)] {
        world.reset_stats();
        let run = app.sync_true(&world).await;
        let warning = run.warning.unwrap();
        assert!(warning.contains("bind") && warning.contains("open.weixin.qq.com"), "{warning}");
        assert_eq!(run.counts.missing_unionid, 1_000, "night {night}");
        assert_calls(&world, Call::UserInfoBatchget, batches, 0);
        assert_calls(&world, Call::UserInfo, 0, 3);
    }

    world.main().rebind();
    world.reset_stats();
    let run = app.sync_true(&world).await;
    assert_eq!((run.counts.fetched, run.counts.upserted), (1_000, 1_000));
    assert_eq!((run.counts.missing_unionid, run.counts.conflicts, run.warning), (0, 0, None));
    assert_calls(&world, Call::UserInfoBatchget, 11, 0);
    assert_calls(&world, Call::UserInfo, 0, 0);
}

#[rstest]
#[tokio::test]
async fn a_known_unionid_is_kept_if_responses_lack_it(
    #[values(Quirk::NoUnionid, Quirk::NoUnionidInBatch)] quirk: Quirk,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 600).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    let mirrored = app.mirror().await;
    world.main().quirk(0..300, quirk);
    world.reset_stats();
    let run = app.try_sync(full()).await.unwrap().run;
    assert_eq!((run.counts.fetched, run.counts.upserted), (600, 0), "{run:?}");
    assert_eq!(app.mirror().await, mirrored);
    assert_calls(&world, Call::UserInfo, 0, 0);

    // Not even when the other columns are written again.
    world.main().leave(0..20);
    app.sync().await;
    world.main().rejoin(0..20);
    let run = app.sync().await.run;
    assert_eq!(run.counts.upserted, 20);
    assert_eq!(app.mirror().await, mirrored);
}

#[rstest]
#[tokio::test]
async fn a_changed_unionid_is_confirmed_by_a_single_call_and_recorded(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 600).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    let before = world.main().person(7);
    // The unionid of a person who does not follow, so that no other follower has it.
    world.main().quirk([7], Quirk::UnionidOf(5_000));
    world.reset_stats();
    let run = app.try_sync(full()).await.unwrap().run;
    assert_eq!((run.counts.conflicts, run.counts.upserted), (1, 1), "{run:?}");
    app.assert_mirrors(&world).await;
    let after = world.main().person(7).unionid.unwrap();
    let expected = (before.openid.clone(), before.unionid.clone().unwrap(), after);
    assert_eq!(app.conflicts().await, [expected]);
    assert_calls(&world, Call::UserInfoBatchget, 7, 0);
    // The probe may find the change too.
    assert_calls(&world, Call::UserInfo, 1, 1);

    app.sync_true(&world).await;
    assert_eq!(app.conflicts().await.len(), 1);
}

#[tokio::test]
async fn a_unionid_changed_only_in_a_batch_is_not_updated() {
    let world = paged_world(500, 600).await;
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    world.main().quirk([7], Quirk::UnionidInBatchOf(5_000));
    let run = app.try_sync(full()).await.unwrap().run;
    assert_eq!((run.counts.conflicts, run.counts.upserted), (0, 0), "{run:?}");
    app.assert_mirrors(&world).await;
    assert!(app.conflicts().await.is_empty());
}

#[rstest]
#[tokio::test]
async fn a_binding_change_is_detected_and_all_profiles_are_fetched(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 3_000).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    world.main().rebind();
    world.reset_stats();
    let run = app.sync_true(&world).await;
    assert_eq!((run.mode, run.counts.fetched, run.counts.upserted), (Mode::Full, 3_000, 3_000));
    assert!(run.warning.unwrap().contains("another Open Platform account"));
    assert_calls(&world, Call::UserInfoBatchget, 31, 0);
    // Each follower of the nightly probe is confirmed by a single call.
    assert_calls(&world, Call::UserInfo, 10, 0);
    let run = app.sync_true(&world).await;
    assert_eq!((run.mode, run.counts.fetched, run.warning), (Mode::Incremental, 0, None));
}

#[tokio::test]
async fn an_interrupted_run_after_a_binding_change_needs_no_extra_calls() {
    let world = paged_world(100, 1_000).await;
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    world.main().rebind();
    world.reset_stats();
    let stopped = app.sync_stopped_after(7).await.run;
    let run = app.sync_true(&world).await;
    assert_eq!((run.id, run.mode), (stopped.id, Mode::Full));
    assert!(run.warning.unwrap().contains("another Open Platform account"));
    assert_calls(&world, Call::UserInfo, 10, 10);
    assert!(app.conflicts().await.is_empty());
}

#[tokio::test]
async fn unionids_of_departed_followers_are_kept() {
    let world = paged_world(500, 300).await;
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    let known: BTreeMap<_, _> = app.mirror().await;
    world.main().leave(0..40);
    app.sync_true(&world).await;
    for (openid, (unionid, _)) in app.mirror().await {
        assert_eq!(unionid, known[&openid].0, "{openid}");
    }
}
