//! A follower whose profile cannot be fetched must not affect the other 99 of its batch, nor the run.

use rstest::rstest;
use unionid_bridge::sandbox::{Call, Dirt, Quirk};

use crate::harness::{Backend, TestApp, assert_calls, full, paged_world};

#[rstest]
#[tokio::test]
async fn an_invalid_openid_is_quarantined_and_then_fetched_alone(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 1_000).await;
    world.main().quirk([7], Quirk::Poison);
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let run = app.sync().await.run;
    assert_eq!(run.state.as_str(), "succeeded", "{run:?}");
    assert_eq!((run.counts.fetched, run.counts.quarantined), (999, 1));
    app.assert_mirrors_all_but(&world, &[7]).await;
    let openid = world.main().person(7).openid;
    let quarantine = app.quarantine().await;
    assert_eq!(quarantine.len(), 1);
    assert!(quarantine[&openid].contains("40003"), "{quarantine:?}");
    // Ten batches. The failing one is halved at most seven times, with two calls each.
    assert_calls(&world, Call::UserInfoBatchget, 10, 14);

    world.reset_stats();
    world.main().join(20);
    let run = app.sync().await.run;
    assert_eq!((run.counts.known, run.counts.fetched, run.counts.quarantined), (999, 20, 1));
    assert!(app.quarantine().await.into_keys().eq([openid]));
    assert_calls(&world, Call::UserInfo, 1, 0);
    assert_calls(&world, Call::UserInfoBatchget, 2, 0);

    world.main().clear_quirks([7]);
    let run = app.sync_true(&world).await;
    assert_eq!((run.counts.fetched, run.counts.quarantined), (1, 0));
    assert!(app.quarantine().await.is_empty());
}

#[tokio::test]
async fn a_mirrored_follower_whose_openid_becomes_invalid_is_kept() {
    let world = paged_world(500, 1_000).await;
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    world.main().quirk([7], Quirk::Poison);
    world.reset_stats();
    let run = app.try_sync(full()).await.unwrap().run;
    assert_eq!((run.counts.fetched, run.counts.quarantined), (999, 1), "{run:?}");
    app.assert_mirrors(&world).await;
    assert_calls(&world, Call::UserInfoBatchget, 11, 14);
}

#[rstest]
#[case(Dirt::ControlCharacters)]
#[case(Dirt::InvalidUtf8)]
#[case(Dirt::BareQuote)]
#[case(Dirt::StrayBackslash)]
#[tokio::test]
async fn a_remark_that_breaks_json_affects_only_its_follower(
    #[case] dirt: Dirt,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 300).await;
    world.main().quirk([7], Quirk::Remark(dirt));
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let run = app.sync().await.run;
    assert_eq!(run.state.as_str(), "succeeded", "{run:?}");
    app.assert_mirrors_all_but(&world, &[7]).await;
    let openid = world.main().person(7).openid;
    match run.counts.quarantined {
        0 => app.assert_mirrors(&world).await,
        quarantined => {
            assert_eq!(quarantined, 1);
            assert!(!app.quarantine().await[&openid].is_empty());
        }
    }
    assert_calls(&world, Call::UserInfoBatchget, 3, 28);
}

#[tokio::test]
async fn numbers_sent_as_strings_are_accepted() {
    let world = paged_world(500, 300).await;
    world.main().quirk(0..300, Quirk::NumericStrings);
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    assert_calls(&world, Call::UserInfoBatchget, 3, 0);
    assert_calls(&world, Call::UserInfo, 0, 0);
}

#[tokio::test]
async fn a_listed_user_without_a_profile_counts_as_vanished() {
    let world = paged_world(500, 300).await;
    world.main().quirk([7], Quirk::ListedButGone);
    let app = TestApp::against(&world).await;
    let run = app.sync().await.run;
    assert_eq!(run.state.as_str(), "succeeded", "{run:?}");
    assert_eq!((run.counts.fetched, run.counts.vanished), (299, 1));
    app.assert_mirrors_all_but(&world, &[7]).await;
}

#[tokio::test]
async fn a_run_with_only_invalid_openids_fails_with_a_bounded_quarantine() {
    let world = paged_world(500, 1_000).await;
    world.main().quirk(0..1_000, Quirk::Poison);
    let app = TestApp::against(&world).await;
    let run = app.sync().await.run;
    assert_eq!(run.state.as_str(), "failed", "{run:?}");
    assert!(run.error.unwrap().contains("40003"));
    assert!(app.quarantine().await.len() <= 100);
}
