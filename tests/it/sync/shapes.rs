//! Accounts of all sizes, and all sync modes.

use rstest::rstest;
use unionid_bridge::model::{Mode, RunState};
use unionid_bridge::sandbox::{Call, LastPage, OfficialAccount, Options, Sandbox};

use crate::harness::{Backend, Bridge, TestApp, assert_calls, full, manual, paged_world};

#[rstest]
#[case::no_followers(0, 1, 0)]
#[case::one_follower(1, 2, 1)]
#[case::one_batch(100, 2, 1)]
#[case::one_batch_plus_one(101, 2, 2)]
#[case::one_page(500, 2, 5)]
#[case::one_page_plus_one(501, 3, 6)]
#[case::two_pages(1_000, 3, 10)]
#[tokio::test]
async fn an_account_of_any_size_needs_only_its_pages_and_batches(
    #[case] followers: u64,
    #[case] pages: u64,
    #[case] batches: u64,
    #[values(LastPage::NamesNext, LastPage::EndsTheList)] last_page: LastPage,
) {
    let world = paged_world(500, followers).await;
    world.main().set_last_page(last_page);
    let app = TestApp::against(&world).await;
    let run = app.sync_true(&world).await;
    assert_eq!((run.counts.listed, run.counts.fetched), (followers, followers));
    assert_eq!((run.counts.pages, run.warning), (followers.div_ceil(500), None));
    // If the last page ends the list, the empty page after it is not fetched.
    let saved = u64::from(followers > 0 && last_page == LastPage::EndsTheList);
    assert_calls(&world, Call::UserGet, pages - saved, 0);
    assert_calls(&world, Call::UserInfoBatchget, batches, 0);
    assert_calls(&world, Call::UserInfo, 0, 0);
    assert_eq!(run.calls.values().sum::<u64>(), pages - saved + batches);

    world.reset_stats();
    let run = app.sync_true(&world).await;
    assert_eq!((run.counts.known, run.counts.upserted), (followers, 0));
    assert_calls(&world, Call::UserGet, pages - saved, 0);
    assert_calls(&world, Call::UserInfoBatchget, u64::from(followers > 0), 0);
}

#[rstest]
#[tokio::test]
async fn profiles_can_be_fetched_one_by_one(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 350).await;
    let toml = "[sync]\nprofile_api = 'info'";
    let Some(app) = TestApp::configured(&world, backend, toml).await else { return };
    app.sync_true(&world).await;
    assert_calls(&world, Call::UserInfo, 350, 0);
    assert_calls(&world, Call::UserInfoBatchget, 0, 0);
    world.main().leave(0..5);
    world.main().join(7);
    world.reset_stats();
    let run = app.sync_true(&world).await;
    assert_eq!((run.counts.fetched, run.counts.unfollowed), (7, 5));
    // The nightly probe, the new followers, and the departures.
    assert_calls(&world, Call::UserInfo, 10 + 7 + 5, 0);
    assert_calls(&world, Call::UserInfoBatchget, 0, 0);
}

#[rstest]
#[tokio::test]
async fn a_full_run_fetches_everyone_and_writes_only_changes(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 1_000).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    world.reset_stats();
    let run = app.try_sync(full()).await.unwrap().run;
    assert_eq!((run.mode, run.counts.fetched, run.counts.upserted), (Mode::Full, 1_000, 0));
    app.assert_mirrors(&world).await;
    assert_calls(&world, Call::UserInfoBatchget, 11, 0);
    assert_eq!(app.sync_true(&world).await.mode, Mode::Incremental);
}

/// Two accounts with 300 followers on pages of 100. The first is not authorized to list its followers.
async fn two_accounts() -> Sandbox {
    let mut options = Options { page_size: 100, ..Options::with_followers(300) };
    options.official_accounts.push(OfficialAccount::new(
        "second",
        "wx0a00000000000002",
        "5a5d0b0c0a11ce0000000000000000a2",
        300,
    ));
    let world = Sandbox::start(options).await.unwrap();
    world.main().set_unauthorized(true);
    world
}

#[rstest]
#[tokio::test]
async fn a_failing_account_does_not_stop_another_on_the_same_database(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = two_accounts().await;
    let Some(first) = TestApp::on(&world, backend).await else { return };
    let second = first.replica(&world).await.for_account(1);
    let (failed, run) = tokio::join!(first.try_sync(manual()), second.sync_true(&world));
    let failed = failed.unwrap();
    assert_eq!(failed.run.state, RunState::Failed);
    assert!(failed.run.error.unwrap().contains("48001"));
    assert!(failed.error.unwrap().is_configuration());
    assert_eq!(run.counts.fetched, 300);

    world.main().set_unauthorized(false);
    let (one, two) = tokio::join!(first.sync_true(&world), second.sync_true(&world));
    assert_eq!((one.counts.fetched, two.counts.fetched), (300, 0));
    assert_calls(&world, Call::StableToken, 2, 0);
}

#[tokio::test]
async fn the_sync_command_continues_after_a_failing_account() {
    let world = two_accounts().await;
    let bridge = Bridge::against(&world, "");
    let runs = bridge.json(&["sync"]).await;
    let states: Vec<_> =
        runs.as_array().unwrap().iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["failed", "succeeded"]);
    assert_eq!(runs[1]["fetched"], 300);
}
