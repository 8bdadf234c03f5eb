//! Broken pages: a page that is broken once is fetched again; one that stays broken never causes a sweep.

use rstest::rstest;
use unionid_bridge::model::{Run, RunState};
use unionid_bridge::sandbox::{Call, Fault, LastPage, Sandbox, When};

use crate::harness::{Backend, TestApp, assert_calls, paged_world};

/// A mirrored account of 300 followers, ten of whom left since: six pages and an empty one.
async fn mirrored_world(last_page: LastPage, backend: Backend) -> Option<(Sandbox, TestApp)> {
    let world = paged_world(50, 300).await;
    let app = TestApp::on(&world, backend).await?;
    app.sync_true(&world).await;
    world.main().set_last_page(last_page);
    world.main().leave(0..10);
    world.reset_stats();
    Some((world, app))
}

#[rstest]
#[case::a_broken_connection(Fault::Disconnect)]
#[case::truncated_json(Fault::Truncated)]
#[case::html(Fault::Html)]
#[case::an_empty_body(Fault::EmptyBody)]
#[case::count_too_high(Fault::CountOff(1))]
#[case::count_too_low(Fault::CountOff(-1))]
#[case::no_data(Fault::NoData)]
#[case::cursor_of_the_same_page(Fault::Loop)]
#[case::cursor_of_an_earlier_page(Fault::LoopBack)]
#[case::a_list_that_ends_early(Fault::Short(20))]
#[case::a_nearly_complete_page(Fault::Short(30))]
#[case::an_empty_page(Fault::Short(0))]
#[case::a_blank_openid(Fault::BlankOpenid)]
#[case::half_the_total(Fault::Total(150))]
#[tokio::test]
async fn a_page_that_is_invalid_once_is_fetched_again(
    #[case] fault: Fault,
    #[values(1, 3, 6, 7)] page: u64,
    #[values(LastPage::NamesNext, LastPage::EndsTheList)] last_page: LastPage,
) {
    // The calls do not depend on the database. The tests below cover all databases.
    let (world, app) = mirrored_world(last_page, Backend::Sqlite).await.unwrap();
    world.fail(Call::UserGet, page, fault);
    let run = app.sync_true(&world).await;
    assert_eq!(run.counts.unfollowed, 10);
    assert_calls(&world, Call::UserGet, 6, 4);
    // One call for the probe, and one for the departures.
    assert_calls(&world, Call::UserInfoBatchget, 2, 0);
}

async fn assert_fails_safe(world: &Sandbox, app: &TestApp) -> Run {
    let mirrored = app.mirror().await;
    let run = app.sync().await.run;
    let expected = [RunState::Failed, RunState::Paused, RunState::Held];
    assert!(expected.contains(&run.state), "{run:?}");
    assert!(run.error.is_some());
    assert_eq!(app.mirror().await, mirrored, "a partial crawl changed the mirror");
    world.clear_faults();
    app.sync_true(world).await;
    run
}

#[rstest]
#[case::truncated_json(Fault::Truncated, "ends early")]
#[case::html(Fault::Html, "HTML")]
#[case::an_empty_body(Fault::EmptyBody, "empty")]
#[case::count_too_high(Fault::CountOff(1), "it counts")]
#[case::count_too_low(Fault::CountOff(-1), "it counts")]
#[case::no_data(Fault::NoData, "it counts")]
#[case::cursor_of_the_same_page(Fault::Loop, "repeats an earlier cursor")]
#[case::cursor_of_an_earlier_page(Fault::LoopBack, "repeats an earlier cursor")]
#[case::an_empty_page(Fault::Short(0), "290")]
#[tokio::test]
async fn a_page_that_stays_invalid_ends_the_run_without_a_sweep(
    #[case] fault: Fault,
    #[case] reason: &str,
    #[values(1, 4)] from: u64,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some((world, app)) = mirrored_world(LastPage::NamesNext, backend).await else { return };
    world.fail(Call::UserGet, from.., fault);
    let run = assert_fails_safe(&world, &app).await;
    assert!(run.error.as_ref().unwrap().contains(reason), "{run:?}");
}

#[rstest]
#[tokio::test]
async fn a_repeated_cursor_does_not_end_the_list_of_a_small_account(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 900).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    // The cursor of each page leads back to the page itself.
    world.fail(Call::UserGet, When::Always, Fault::Loop);
    let run = app.sync().await.run;
    assert_ne!(run.state, RunState::Succeeded, "{run:?}");
    world.clear_faults();
    app.sync_true(&world).await;
}

#[rstest]
#[tokio::test]
async fn a_repeated_cursor_does_not_hide_the_last_page(
    #[values(LastPage::NamesNext, LastPage::EndsTheList)] last_page: LastPage,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(50, 301).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    world.main().set_last_page(last_page);
    app.sync_true(&world).await;
    world.reset_stats();
    world.fail(Call::UserGet, 6, Fault::Loop);
    let run = app.sync_true(&world).await;
    assert_eq!((run.counts.listed, run.counts.unfollowed), (301, 0));
}

#[rstest]
#[tokio::test]
async fn duplicate_openids_do_not_compensate_for_missing_ones(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(50, 300).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    world.reset_stats();
    // The cursor of the first page is its own first openid, and the last page is cut short.
    world.fail(Call::UserGet, 1, Fault::Loop);
    world.fail(Call::UserGet, 7, Fault::Short(20));
    let run = app.sync_true(&world).await;
    assert_eq!(run.counts.unfollowed, 0);
}

#[rstest]
#[case::in_batches("")]
#[case::one_by_one("[sync]\nprofile_api = 'info'")]
#[tokio::test]
async fn a_last_page_that_is_empty_twice_marks_only_followers_who_left(
    #[case] settings: &str,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(50, 330).await;
    let Some(app) = TestApp::configured(&world, backend, settings).await else { return };
    app.sync_true(&world).await;
    world.main().leave(0..3);
    world.reset_stats();
    // 27 followers are on it.
    world.fail(Call::UserGet, When::from(7..), Fault::Short(0));
    let run = app.sync_true(&world).await;
    assert_eq!((run.counts.listed, run.counts.unfollowed), (300, 3));
    let fetched = world.requests(Call::UserInfoBatchget) + world.requests(Call::UserInfo);
    assert!(fetched <= if settings.is_empty() { 2 } else { 40 }, "{fetched}");
}

#[rstest]
#[tokio::test]
async fn followers_who_leave_during_the_crawl_do_not_hide_a_lost_last_page(
    #[values(Fault::Loop, Fault::Short(50))] fault: Fault,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(50, 303).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    world.reset_stats();
    // As if three followers of an earlier page had left since it was listed.
    world.main().misreport_total(Some(300));
    world.fail(Call::UserGet, 6, fault);
    let run = app.sync().await.run;
    assert_eq!((run.state, run.counts.unfollowed), (RunState::Succeeded, 0), "{run:?}");
    world.main().misreport_total(None);
    app.sync_true(&world).await;
}

#[rstest]
#[tokio::test]
async fn departures_without_a_usable_profile_wait_for_a_later_run(
    #[values(Fault::Html, Fault::Errcode(99_999))] fault: Fault,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(50, 300).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    world.main().leave(0..3);
    world.reset_stats();
    // The first call is the probe.
    world.fail(Call::UserInfoBatchget, When::from(2..), fault.clone());
    world.fail(Call::UserInfo, When::Always, fault);
    let run = app.sync().await.run;
    assert_eq!((run.state, run.counts.unfollowed), (RunState::Succeeded, 0), "{run:?}");
    world.clear_faults();
    assert_eq!(app.sync_true(&world).await.counts.unfollowed, 3);
}

#[rstest]
#[tokio::test]
async fn a_list_of_short_pages_is_read_to_its_end(
    #[values(1, 7, 99)] size: usize,
    #[values(90, 600)] followers: u64,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, followers).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    world.fail(Call::UserGet, When::Always, Fault::Short(size));
    let run = app.sync_true(&world).await;
    assert_eq!((run.counts.listed, run.counts.unfollowed), (followers, 0));
}

#[rstest]
#[tokio::test]
async fn blank_openids_are_skipped(
    #[values(LastPage::NamesNext, LastPage::EndsTheList)] last_page: LastPage,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 1_000).await;
    world.main().set_last_page(last_page);
    world.fail(Call::UserGet, When::Always, Fault::BlankOpenid);
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let run = app.sync_true(&world).await;
    assert_eq!((run.counts.listed, run.counts.quarantined), (1_000, 0));
}
