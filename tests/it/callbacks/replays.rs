//! T28: a valid push is replayed a thousand times, to every replica, before and after a restart.

use futures::{StreamExt, stream};
use rstest::rstest;
use sea_orm::{EntityTrait, PaginatorTrait};
use unionid_bridge::model::{AppId, MessageState};
use unionid_bridge::sandbox::{Account, Call, Envelope, Event};
use unionid_bridge::store::{Store, followers, messages};

use crate::harness::{
    Backend, Bridge, ServeProcess, TestDatabase, accept_messages, calling_back, mark_sent,
};

/// Disables syncs, so that only callbacks have effects.
const NO_SYNC: &str = "[sync]\nenabled = false";

/// The number of concurrent pushes.
const AT_ONCE: usize = 16;

/// Sends the envelope `times` times, to each process in turn. All must be answered `success`.
async fn replay(replicas: &[ServeProcess], account: &Account, envelope: &Envelope, times: usize) {
    let path = format!("/v1/callbacks/{}?{}", account.appid(), envelope.query);
    let turns = replicas.iter().cycle().take(times);
    let answers = stream::iter(turns).map(|replica| {
        let call = replica.call("POST", &path).header("content-type", "text/xml");
        call.body(envelope.body.clone()).send()
    });
    let answers: Vec<_> = answers.buffer_unordered(AT_ONCE).collect().await;
    assert_eq!(answers.len(), times);
    for answer in answers {
        assert_eq!((answer.status, answer.text.as_str()), (200, "success"), "{answer:?}");
    }
}

/// Waits up to 20 s until the mirror has this unionid and state for the person.
async fn wait_for_mirror(
    store: &Store,
    appid: &AppId,
    openid: &str,
    unionid: Option<&str>,
    follows: bool,
) {
    let openids = [openid.parse().unwrap()];
    let number = unionid_bridge::store::accounts::find_or_insert(store, appid).await.unwrap();
    let found = async {
        loop {
            let rows = followers::list_by_openids(store.reader(), number, &openids).await.unwrap();
            let matches = rows.first().is_some_and(|row| {
                row.unionid.as_ref().map(|unionid| unionid.as_str()) == unionid
                    && row.subscribed == follows
            });
            if matches {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let timeout = std::time::Duration::from_secs(20);
    assert!(tokio::time::timeout(timeout, found).await.is_ok(), "the event had no effect");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_push_replayed_a_thousand_times_is_handled_once_and_acknowledged(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(database) = TestDatabase::new(backend).await else { return };
    let store = database.store().await;
    // SQLite is for one process.
    let bridges = (0..if backend == Backend::Sqlite { 1 } else { 2 })
        .map(|_| Bridge::on(&world, &database.url, NO_SYNC))
        .collect::<Vec<_>>();
    let mut replicas = Vec::new();
    for bridge in &bridges {
        replicas.push(ServeProcess::start(bridge).await);
    }
    let main = world.main();
    let appid: AppId = main.appid().parse().unwrap();
    let person = main.person(main.join(1).start);
    let (openid, unionid) = (person.openid.as_str(), person.unionid.as_deref());
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs().cast_signed();
    let followed = main.envelope(Event::subscribe(person.number).at(now - 10)).unwrap();
    replay(&replicas, &main, &followed, 400).await;
    wait_for_mirror(&store, &appid, openid, unionid, true).await;

    let left = main.envelope(Event::unsubscribe(person.number).at(now)).unwrap();
    replay(&replicas, &main, &left, 1).await;
    wait_for_mirror(&store, &appid, openid, unionid, false).await;
    replicas.remove(0).kill().await;
    if !replicas.is_empty() {
        replay(&replicas, &main, &followed, 300).await;
    }
    replicas.push(ServeProcess::start(&bridges[0]).await);
    let rest = if bridges.len() == 1 { 600 } else { 300 };
    replay(&replicas, &main, &followed, rest).await;

    wait_for_mirror(&store, &appid, openid, unionid, false).await;
    assert_eq!(world.requests(Call::UserInfo), 1);
    let seen = entity::callback_seen::Entity::find().count(store.reader()).await.unwrap();
    assert_eq!(seen, 2, "one row for each of the two events");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_replayed_a_thousand_times_ends_its_message_once(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(database) = TestDatabase::new(backend).await else { return };
    let (store, main) = (database.store().await, world.main());
    let ids = accept_messages(&store, &main, &[3, 3]).await;
    for (msgid, id) in (1..).zip(&ids) {
        mark_sent(&store, id, MessageState::Sent, Some(msgid), 1_000).await;
    }
    let [first, second] = ["success", "failed:user block"]
        .map(|status| main.envelope(Event::template_sent(3, 1, status)).unwrap());
    let read = async || messages::find(store.reader(), &ids[0]).await.unwrap().unwrap();
    // SQLite is for one process.
    let bridges = (0..if backend == Backend::Sqlite { 1 } else { 2 })
        .map(|_| Bridge::on(&world, &database.url, NO_SYNC))
        .collect::<Vec<_>>();
    let mut replicas = Vec::new();
    for bridge in &bridges {
        replicas.push(ServeProcess::start(bridge).await);
    }
    replay(&replicas, &main, &first, AT_ONCE).await;
    let ended = read().await;
    assert_eq!(ended.state, MessageState::Delivered);
    replay(&replicas, &main, &first, 500 - AT_ONCE).await;
    replay(&replicas, &main, &second, 10).await;
    replicas.remove(0).kill().await;
    replicas.push(ServeProcess::start(&bridges[0]).await);
    replay(&replicas, &main, &first, 500).await;

    assert_eq!(read().await, ended);
    let other = messages::find(store.reader(), &ids[1]).await.unwrap().unwrap();
    assert_eq!(other.state, MessageState::Sent);
    let kept = entity::receipt::Entity::find().count(store.reader()).await.unwrap();
    let seen = entity::callback_seen::Entity::find().count(store.reader()).await.unwrap();
    assert_eq!((kept, seen), (0, 0));
}
