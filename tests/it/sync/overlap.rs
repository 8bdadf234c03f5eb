//! A page that is listed again after its cursor was refused contains people who were listed before.

use std::time::Duration;

use rstest::rstest;
use unionid_bridge::model::RunState;
use unionid_bridge::sandbox::{Call, Fault};

use crate::harness::{Backend, TestApp, paged_world, person_at, until};

#[rstest]
#[tokio::test]
async fn a_postponed_follower_listed_again_is_counted_and_stored_once(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 600).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    world.main().refuse_departed_cursors(true);
    world.main().join(60);
    world.reset_stats();
    // A page with a new follower, whose last follower is known. The new ones do not fill a batch.
    let list: Vec<u64> = world.main().followers().map(|person| person.number).collect();
    let pages = list.chunks(100).take(6);
    let page = pages.into_iter().position(|on| on[99] < 600 && on.iter().any(|who| *who >= 600));
    let page = page.unwrap() + 1;
    // The last follower leaves while the page is in flight, so the next cursor is refused.
    world.fail(Call::UserGet, page as u64, Fault::Stall(Duration::from_millis(300)));
    let leaver = person_at(&world, page * 100 - 1);
    let leaving = async {
        until("the page", || world.requests(Call::UserGet) >= page as u64).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.main().leave([leaver]);
    };
    let (outcome, ()) = tokio::join!(app.sync(), leaving);
    assert_eq!(outcome.run.state, RunState::Succeeded, "{outcome:?}");
    // Seven pages, the refused cursor, the page before it again, and the end.
    assert!(world.requests(Call::UserGet) >= 9, "the cursor was not refused");
    app.assert_mirrors_all_but(&world, &[leaver]).await;
    app.sync_true(&world).await;
}
