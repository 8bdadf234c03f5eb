//! T40: a crawl does not restore people who are erased before, during or after it, until they act again.

use std::time::Duration;

use rstest::rstest;
use unionid_bridge::model::{OpenId, RunState, UnionId};
use unionid_bridge::sandbox::{Call, Fault, Quirk, Sandbox};
use unionid_bridge::store::erasures::{self, Erased, Subject};
use unionid_bridge::store::followers::{self, FollowEvent, Row};
use unionid_bridge::store::{AccountId, accounts};

use crate::harness::{Backend, TestApp, assert_calls, full, paged_world, until};

impl TestApp {
    async fn number(&self) -> AccountId {
        accounts::find_or_insert(&self.app.store, &self.account.appid).await.unwrap()
    }

    async fn erase(&self, subject: Subject<'_>) -> Erased {
        let transaction = self.app.store.begin().await.unwrap();
        let erased = erasures::erase(&transaction, subject).await.unwrap();
        transaction.commit().await.unwrap();
        erased
    }

    async fn erase_follower(&self, openid: &OpenId) -> Erased {
        self.erase(Subject::OpenId { account: self.number().await, openid, unionid: None }).await
    }

    async fn readmit(&self, openid: &OpenId) {
        let transaction = self.app.store.begin().await.unwrap();
        erasures::readmit(&transaction, self.number().await, openid, None).await.unwrap();
        transaction.commit().await.unwrap();
    }

    async fn count_erasures(&self) -> u64 {
        erasures::count(self.app.store.reader(), self.number().await).await.unwrap()
    }
}

fn openid(world: &Sandbox, person: u64) -> OpenId {
    world.main().person(person).openid.parse().unwrap()
}

fn unionid(world: &Sandbox, person: u64) -> UnionId {
    world.main().person(person).unionid.unwrap().parse().unwrap()
}

#[rstest]
#[tokio::test]
async fn an_erased_follower_stays_erased_until_acting_again(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
    #[values(false, true)] by_openid: bool,
) {
    let world = paged_world(100, 300).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    let (openid, unionid) = (openid(&world, 7), unionid(&world, 7));
    let first = match by_openid {
        true => app.erase_follower(&openid).await,
        false => app.erase(Subject::Unionid(&unionid)).await,
    };
    assert_eq!(first.rows, 1);
    assert!(!app.mirror().await.contains_key(openid.as_str()));
    // Erased again, now without any data: still the same person.
    assert_eq!(app.erase_follower(&openid).await, Erased { rows: 0, ..first });

    world.reset_stats();
    let run = app.sync().await.run;
    assert_eq!((run.state, run.counts.listed, run.counts.known), (RunState::Succeeded, 300, 300));
    // Only the probe before each crawl.
    assert_calls(&world, Call::UserInfoBatchget, 1, 0);
    assert_eq!(app.try_sync(full()).await.unwrap().run.state, RunState::Succeeded);
    assert!(!app.mirror().await.contains_key(openid.as_str()));
    app.assert_mirrors_all_but(&world, &[7]).await;

    app.readmit(&openid).await;
    app.sync_true(&world).await;
}

#[rstest]
#[tokio::test]
async fn a_follower_erased_by_unionid_is_fetched_once_and_not_stored(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 300).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let first = app.erase(Subject::Unionid(&unionid(&world, 7))).await;
    assert_eq!(first.rows, 0);
    let run = app.sync().await.run;
    assert_eq!(
        (run.state, run.counts.fetched, run.counts.upserted),
        (RunState::Succeeded, 300, 299)
    );
    app.assert_mirrors_all_but(&world, &[7]).await;
    assert_eq!(app.mirror().await.len(), 299);

    world.reset_stats();
    assert_eq!(app.sync().await.run.counts.known, 300);
    assert_calls(&world, Call::UserInfoBatchget, 1, 0);
    // An act under one openid restores the person under all openids.
    app.readmit(&openid(&world, 7)).await;
    app.sync_true(&world).await;
}

#[rstest]
#[tokio::test]
async fn a_follower_erased_between_fetch_and_commit_is_not_stored(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
    #[values(false, true)] came_back: bool,
) {
    let world = paged_world(100, 300).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    if came_back {
        // Stored as having left, so the crawl has to update the row.
        app.sync_true(&world).await;
        world.main().leave([7]);
        app.sync_true(&world).await;
        world.main().rejoin([7]);
    }
    world.reset_stats();
    // All listed profiles are fetched at once, and the answers are delayed.
    let stall = Fault::Stall(Duration::from_millis(500));
    world.fail(Call::UserInfoBatchget, if came_back { 2.. } else { 1.. }, stall);
    let erasing = async {
        until("the profiles", || world.requests(Call::UserInfoBatchget) >= 2).await;
        app.erase_follower(&openid(&world, 7)).await
    };
    let (outcome, _) = tokio::join!(app.try_sync(full()), erasing);
    assert_eq!(outcome.unwrap().run.state, RunState::Succeeded);
    assert!(!app.mirror().await.contains_key(openid(&world, 7).as_str()));
    app.assert_mirrors_all_but(&world, &[7]).await;
}

#[rstest]
#[tokio::test]
async fn an_erasure_waits_for_an_open_page_transaction_and_covers_it(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 20).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    let (account, openid) = (app.number().await, openid(&world, 7));
    let profile = app.job(Default::default()).await.wechat.profile(&openid).await.unwrap();
    app.erase_follower(&openid).await;
    app.readmit(&openid).await;

    let page = app.app.store.begin().await.unwrap();
    accounts::share(&page, account).await.unwrap();
    let people = [(&openid, profile.unionid.as_ref())];
    assert!(erasures::withhold(&page, account, &people).await.unwrap().is_empty());
    let mut erasing = Box::pin(app.erase_follower(&openid));
    let waited = tokio::time::timeout(Duration::from_millis(300), &mut erasing).await;
    assert!(waited.is_err(), "the erasure did not wait");
    let row = Row { profile: profile.clone(), unionid_absent: false };
    followers::upsert(&page, account, &[row], 1).await.unwrap();
    page.commit().await.unwrap();
    assert_eq!(erasing.await.rows, 1);
    assert!(!app.mirror().await.contains_key(openid.as_str()));
}

#[tokio::test]
async fn erased_followers_do_not_cause_a_run_to_be_held() {
    let world = paged_world(100, 1_000).await;
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    let erased: Vec<u64> = (0..300).collect();
    for person in &erased {
        app.erase_follower(&openid(&world, *person)).await;
    }
    let run = app.sync().await.run;
    assert_eq!(run.state, RunState::Succeeded, "{run:?}");
    assert_eq!((run.counts.listed, run.counts.known), (1_000, 1_000));
    app.assert_mirrors_all_but(&world, &erased).await;
    assert_eq!(app.count_erasures().await, 300);
}

#[rstest]
#[tokio::test]
async fn a_follow_event_readmits_a_follower_erased_by_unionid(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 300).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.erase(Subject::Unionid(&unionid(&world, 7))).await;
    tokio::time::sleep(Duration::from_millis(2)).await;
    // The callback contains the openid but no unionid.
    let received_at = app.app.store.now().await.unwrap();
    let event = FollowEvent { subscribed: true, created_at: received_at / 1_000 };
    let (writer, openid) = (app.app.store.writer(), openid(&world, 7));
    followers::record_event(writer, app.number().await, &openid, event, received_at).await.unwrap();
    app.sync_true(&world).await;
    app.sync_true(&world).await;
}

#[rstest]
#[tokio::test]
async fn a_follower_is_deleted_once_its_unionid_is_known_to_be_erased(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 300).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let unionid = unionid(&world, 7);
    world.main().without_unionid([7]);
    app.sync().await;
    assert!(app.mirror().await.contains_key(openid(&world, 7).as_str()));
    app.erase(Subject::Unionid(&unionid)).await;
    world.main().clear_quirks([7]);
    assert_eq!(app.sync().await.run.state, RunState::Succeeded);
    assert!(!app.mirror().await.contains_key(openid(&world, 7).as_str()));
    app.assert_mirrors_all_but(&world, &[7]).await;
}

#[tokio::test]
async fn an_erased_invalid_openid_is_not_quarantined_again() {
    let world = paged_world(100, 300).await;
    let app = TestApp::against(&world).await;
    world.main().quirk([7], Quirk::Poison);
    app.sync().await;
    assert_eq!(app.quarantine().await.len(), 1);
    app.erase_follower(&openid(&world, 7)).await;
    assert_eq!(app.quarantine().await.len(), 0);
    let run = app.sync().await.run;
    assert_eq!((run.state, run.counts.quarantined), (RunState::Succeeded, 0));
    assert_eq!(app.quarantine().await.len(), 0);
}
