//! Two followers of one account cannot share a unionid. Followers of other accounts do not matter.

use std::collections::HashMap;

use rstest::rstest;
use unionid_bridge::model::{Profile, RunState};
use unionid_bridge::sandbox::{Call, Quirk};
use unionid_bridge::store::accounts;
use unionid_bridge::store::followers::{self, Row};
use unionid_bridge::sync::Request;

use crate::harness::{Backend, TestApp, assert_calls, manual, paged_world, person_at};

fn row(openid: &str, unionid: &str) -> Row {
    let profile = Profile {
        openid: openid.parse().unwrap(),
        subscribed: true,
        unionid: Some(unionid.parse().unwrap()),
        subscribed_at: None,
        subscribe_scene: None,
        language: None,
        remark: None,
        tag_ids: Vec::new(),
        qr_scene: None,
        qr_scene_text: None,
    };
    Row { profile, unionid_absent: false }
}

#[rstest]
#[tokio::test]
async fn a_unionid_shared_with_another_account_is_not_a_collision(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 300).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let mut other = app.replica(&world).await;
    other.account.appid = "wx00000000000000ff".parse().unwrap();
    let store = &app.app.store;
    let account = accounts::find_or_insert(store, &other.account.appid).await.unwrap();
    let unionid = world.main().person(7).unionid.unwrap();
    let rows = [row("oElsewhere-1", &unionid), row("oElsewhere-2", &unionid)];
    followers::upsert(store.writer(), account, &rows, 5).await.unwrap();
    let before = other.mirror().await;
    assert_eq!(before.len(), 2);
    app.sync_true(&world).await;
    assert_calls(&world, Call::UserInfo, 0, 0);
    assert_eq!(other.mirror().await, before);
}

#[tokio::test]
async fn shifted_unionids_ending_in_a_gap_are_stored_correctly() {
    let world = paged_world(500, 300).await;
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    let new = world.main().join(3).start;
    world.main().quirk([new], Quirk::UnionidInBatchOf(new + 1));
    world.main().quirk([new + 1], Quirk::UnionidInBatchOf(new + 2));
    world.main().quirk([new + 2], Quirk::NoUnionidInBatch);
    app.sync_true(&world).await;
    assert_eq!(app.conflicts().await, []);
}

#[rstest]
#[tokio::test]
async fn a_unionid_of_another_page_is_corrected_although_the_first_load_was_cancelled(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 300).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let (first, last) = (person_at(&world, 5), person_at(&world, 195));
    world.main().quirk([first], Quirk::UnionidInBatchOf(last));
    app.sync_stopped_after(2).await;
    let restart = Request { restart: true, ..manual() };
    let run = app.try_sync(restart).await.unwrap().run;
    assert_eq!(run.state, RunState::Succeeded, "{run:?}");
    app.assert_mirrors(&world).await;
}

#[tokio::test]
async fn shifted_unionids_in_a_first_sync_are_stored_correctly() {
    let world = paged_world(500, 3).await;
    world.main().quirk([0], Quirk::UnionidInBatchOf(1));
    world.main().quirk([1], Quirk::UnionidInBatchOf(2));
    world.main().quirk([2], Quirk::NoUnionidInBatch);
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
}

#[rstest]
#[tokio::test]
async fn a_unionid_that_moves_to_a_new_follower_is_recorded_as_a_conflict(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 300).await;
    world.main().quirk([7], Quirk::UnionidOf(300));
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync().await;
    world.main().clear_quirks([7]);
    assert_eq!(world.main().join(1), 300..301);
    let run = app.sync_true(&world).await;
    let holder = world.main().person(7);
    let newcomers = world.main().person(300).unionid.unwrap();
    let conflict = (holder.openid, newcomers, holder.unionid.unwrap());
    assert_eq!((run.counts.conflicts, app.conflicts().await), (1, vec![conflict]));
}

#[rstest]
#[case::is_refused(Quirk::Poison)]
#[case::has_no_unionid(Quirk::NoUnionid)]
#[case::has_unfollowed(Quirk::ListedButGone)]
#[tokio::test]
async fn an_unverifiable_follower_shares_no_unionid_with_a_new_one(#[case] quirk: Quirk) {
    let world = paged_world(500, 300).await;
    world.main().quirk([7], Quirk::UnionidOf(300));
    let app = TestApp::against(&world).await;
    app.sync().await;
    world.main().clear_quirks([7]);
    world.main().quirk([7], quirk);
    world.main().join(1);
    let run = app.sync().await.run;
    assert_eq!(run.state.as_str(), "succeeded", "{run:?}");
    let mut holders: HashMap<_, Vec<_>> = HashMap::new();
    for (openid, (unionid, follows)) in app.mirror().await {
        if let Some(unionid) = unionid.filter(|_| follows) {
            holders.entry(unionid).or_default().push(openid);
        }
    }
    holders.retain(|_, openids| openids.len() > 1);
    assert!(holders.is_empty(), "shared: {holders:?}");
}
