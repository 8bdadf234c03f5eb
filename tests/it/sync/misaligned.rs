//! Batches whose unionids are assigned to the wrong rows: no wrong unionid is stored.

use rstest::rstest;
use unionid_bridge::sandbox::{Call, Fault, Quirk, When};

use crate::harness::{Backend, TestApp, assert_calls, full, paged_world, person_at};

#[rstest]
#[tokio::test]
async fn a_batch_with_shifted_unionids_is_fetched_again_one_by_one(
    #[values(0, 1, 50, 98)] row: usize,
    #[values(false, true)] known: bool,
) {
    let world = paged_world(500, 600).await;
    let app = TestApp::against(&world).await;
    if known {
        app.sync_true(&world).await;
    }
    world.reset_stats();
    // The first batch of a known account is the nightly probe.
    world.fail(Call::UserInfoBatchget, 2 + u64::from(known), Fault::Misaligned(row));
    let outcome = app.try_sync(full()).await.unwrap();
    assert_eq!(outcome.run.state.as_str(), "succeeded", "{outcome:?}");
    app.assert_mirrors(&world).await;
    assert!(app.conflicts().await.is_empty());
    assert_calls(&world, Call::UserInfo, 100, 2);
    assert_calls(&world, Call::UserInfoBatchget, 6 + u64::from(known), 0);
}

#[rstest]
#[tokio::test]
async fn batches_that_are_always_shifted_store_no_wrong_unionid(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 300).await;
    world.fail(Call::UserInfoBatchget, When::Always, Fault::Misaligned(40));
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    app.try_sync(full()).await.unwrap();
    app.assert_mirrors(&world).await;
    assert!(app.conflicts().await.is_empty());
}

/// The cases are the indexes of two followers whose unionids collide.
#[rstest]
#[case::in_one_batch(3, 70)]
#[case::in_two_batches(3, 270)]
#[case::on_two_pages(3, 570)]
#[case::on_two_pages_in_reverse_order(570, 3)]
#[tokio::test]
async fn a_row_with_the_unionid_of_another_follower_is_corrected(
    #[case] wrong: usize,
    #[case] right: usize,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 900).await;
    let (wrong, right) = (person_at(&world, wrong), person_at(&world, right));
    world.main().quirk([wrong], Quirk::UnionidInBatchOf(right));
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    assert_calls(&world, Call::UserInfoBatchget, 9, 0);
    assert!(app.conflicts().await.is_empty());
}

#[rstest]
#[tokio::test]
async fn a_new_follower_with_the_unionid_of_another_is_corrected(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 900).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    let newcomers = world.main().join(3);
    world.main().quirk([newcomers.start], Quirk::UnionidInBatchOf(7));
    world.reset_stats();
    app.sync_true(&world).await;
    // A single call returns another unionid for the new follower, so the known follower is not checked.
    assert_calls(&world, Call::UserInfo, 1, 0);
    assert!(app.conflicts().await.is_empty());
}

#[tokio::test]
async fn rows_missing_from_a_batch_are_fetched_one_by_one() {
    let world = paged_world(500, 600).await;
    world.fail(Call::UserInfoBatchget, 2, Fault::RowsMissing(4));
    world.fail(Call::UserInfoBatchget, 3, Fault::RowsBlank(3));
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    assert_calls(&world, Call::UserInfo, 7, 0);
    assert_calls(&world, Call::UserInfoBatchget, 6, 0);
}

/// WeChat consistently returns the same unionid for two people, so it is stored for both.
#[tokio::test]
async fn a_unionid_that_wechat_returns_for_two_users_is_stored_for_both() {
    let world = paged_world(500, 300).await;
    world.main().quirk([7], Quirk::UnionidOf(8));
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    app.sync_true(&world).await;
}
