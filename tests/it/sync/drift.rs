//! Followers join and leave during the crawl.

use std::time::Duration;

use rstest::rstest;
use unionid_bridge::model::RunState;
use unionid_bridge::sandbox::{Call, Drift, Fault, LastPage, Sandbox};

use crate::harness::{Backend, TestApp, assert_calls, paged_world, person_at};

#[rstest]
#[case::with_a_final_cursor(LastPage::NamesNext)]
#[case::without_a_final_cursor(LastPage::EndsTheList)]
#[tokio::test]
async fn the_sync_tolerates_one_percent_joining_and_leaving_during_it(
    #[case] last_page: LastPage,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(200, 1_200).await;
    world.main().set_last_page(last_page);
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    world.reset_stats();
    world.main().set_drift(Drift { leave: 2, join: 2, cursor_leaves: false });
    let run = app.sync().await.run;
    assert_eq!(run.state, RunState::Succeeded, "{run:?}");
    world.main().set_drift(Drift::default());
    assert_calls(&world, Call::UserGet, 6, 3);
    assert_calls(&world, Call::UserInfoBatchget, 3, 0);

    // Users who followed all the time are not marked as left.
    let mirror = app.mirror().await;
    let account = world.main();
    for person in account.followers().filter(|person| person.number < 1_200) {
        assert_eq!(mirror[&person.openid], (person.unionid, true), "{}", person.number);
    }
    // Users who joined or left on pages that were already listed are found by the next crawl.
    app.sync_true(&world).await;
}

#[rstest]
#[tokio::test]
async fn changes_during_the_first_sync_are_mirrored_by_the_next(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 1_000).await;
    world.main().set_drift(Drift { leave: 1, join: 1, cursor_leaves: true });
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let run = app.sync().await.run;
    assert_eq!(run.state, RunState::Succeeded, "{run:?}");
    world.main().set_drift(Drift::default());
    app.sync_true(&world).await;
}

/// Makes the person at an index of the list leave after page `page` was listed and before the next one.
async fn leave_after_page(world: &Sandbox, page: u64, index: usize) -> u64 {
    world.fail(Call::UserGet, page, Fault::Stall(Duration::from_millis(300)));
    let expected = world.requests(Call::UserGet) + page;
    while world.requests(Call::UserGet) < expected {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let person = person_at(world, index);
    world.main().leave([person]);
    person
}

#[rstest]
#[tokio::test]
async fn a_refused_departed_cursor_goes_back_one_page(
    #[values(false, true)] known: bool,
    #[values(1, 3, 6)] page: u64,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 600).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    world.main().refuse_departed_cursors(true);
    if known {
        app.sync_true(&world).await;
        world.reset_stats();
    }
    let index = page as usize * 100 - 1;
    let (run, left) = tokio::join!(app.sync(), leave_after_page(&world, page, index));
    let run = run.run;
    assert_eq!(run.state, RunState::Succeeded, "{run:?}");
    assert_eq!(world.stats().errors(Call::UserGet, 40003), 1);
    // The refused call, and the page before it again.
    assert_calls(&world, Call::UserGet, 7, 3);
    assert_calls(&world, Call::UserInfoBatchget, if known { 1 } else { 6 }, 2);
    // This follower was listed before leaving; the next sync notices.
    app.assert_mirrors_all_but(&world, &[left]).await;
    app.sync_true(&world).await;
}

#[rstest]
#[tokio::test]
async fn a_short_page_after_going_back_does_not_end_the_list(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 600).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    world.main().refuse_departed_cursors(true);
    // Pages 1 to 3, a refusal, page 3 again, page 4, and page 5 with 60 of its openids and no cursor.
    world.fail(Call::UserGet, 7, Fault::Short(60));
    let (run, left) = tokio::join!(app.sync(), leave_after_page(&world, 3, 299));
    assert_eq!(run.run.state, RunState::Succeeded, "{run:?}");
    app.assert_mirrors_all_but(&world, &[left]).await;
    app.sync_true(&world).await;
}

#[rstest]
#[tokio::test]
async fn repeatedly_refused_cursors_fail_the_run_without_a_sweep(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 600).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    world.main().refuse_departed_cursors(true);
    world.main().set_drift(Drift { leave: 0, join: 0, cursor_leaves: true });
    let mirrored = app.mirror().await;
    let run = app.sync().await.run;
    assert_eq!(run.state, RunState::Failed, "{run:?}");
    assert!(run.error.unwrap().contains("cursor"));
    assert_eq!(app.mirror().await, mirrored);
    world.main().set_drift(Drift::default());
    app.sync_true(&world).await;
}
