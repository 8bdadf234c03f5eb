//! The message queue: each message is sent once, by any process, at the account's rate.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rstest::rstest;
use sea_orm::EntityTrait;
use unionid_bridge::model::{MessageId, MessageState};
use unionid_bridge::sandbox::{Call, Options, Sandbox};
use unionid_bridge::store::{accounts, push_pace};

use crate::harness::{Backend, TestApp, new_message, new_route, queue, until};

async fn sandbox_with(followers: u64) -> Sandbox {
    Sandbox::with_followers(followers).await.unwrap()
}

#[rstest]
#[tokio::test]
async fn each_message_is_sent_once_by_one_of_two_replicas(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = sandbox_with(200).await;
    let fast = "[push]\nrate_per_second = 10000";
    let Some(app) = TestApp::configured(&world, backend, fast).await else { return };
    let replica =
        TestApp::process(&world, app.database.clone(), app.database.connect().await, fast);
    let replica = replica.await;
    let ids = app.queue(&world.main(), 0..200).await;
    let _workers = (app.worker(), replica.worker());
    for id in &ids {
        let message = app.wait_for_state(id, MessageState::Sent).await;
        assert_eq!((message.attempt, message.attempts.len()), (1, 1));
        assert_eq!(message.attempts[0].outcome, "accepted");
        assert!(message.msgid.is_some() && message.sent_at.is_some());
        assert_eq!((message.sending_at, message.reason), (None, None));
    }
    let sent = world.sent_messages();
    let named: HashSet<_> = sent.iter().filter_map(|sent| sent.client_msg_id.as_deref()).collect();
    assert_eq!((sent.len(), named), (200, ids.iter().map(MessageId::as_str).collect()));
    assert_eq!(world.requests(Call::TemplateSend), 200);
}

#[rstest]
#[tokio::test]
async fn two_replicas_share_the_send_rate(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    const INTERVAL_MS: i64 = 20;
    let world = sandbox_with(60).await;
    let slow = "[push]\nrate_per_second = 50";
    let Some(app) = TestApp::configured(&world, backend, slow).await else { return };
    let replica =
        TestApp::process(&world, app.database.clone(), app.database.connect().await, slow);
    let replica = replica.await;
    let ids = app.queue(&world.main(), 0..60).await;
    let began = app.app.store.now().await.unwrap();
    let _workers = (app.worker(), replica.worker());
    let mut sent = Vec::new();
    for id in &ids {
        sent.push(app.wait_for_state(id, MessageState::Sent).await.sent_at.unwrap());
    }
    sent.sort_unstable();
    for (index, sent_at) in (0..).zip(sent) {
        // Both clocks are rounded to milliseconds.
        assert!(sent_at - began >= index * INTERVAL_MS - 2, "{index}: {sent_at}");
    }
    let account = accounts::find(app.app.store.reader(), &app.account.appid).await.unwrap();
    let pace = push_pace::find(app.app.store.reader(), account.unwrap()).await.unwrap().unwrap();
    assert!(pace.next_at >= began + 60 * INTERVAL_MS, "{pace:?}");
}

#[rstest]
#[tokio::test]
async fn a_claimed_message_is_not_claimed_again_until_the_claim_ends(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = sandbox_with(2).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let ids = app.queue(&world.main(), 0..2).await;
    let now = app.app.store.now().await.unwrap();
    // As a process that died left it.
    let claimed = format!(
        "UPDATE message SET attempt = 1, due_at = {}, sending_at = {now}, first_sent_at = {now} \
         WHERE id = '{}'",
        now + 60_000,
        ids[0]
    );
    app.execute(&claimed).await;
    let _worker = app.worker();
    app.wait_for_state(&ids[1], MessageState::Sent).await;
    assert_eq!(app.message(&ids[0]).await.attempt, 1);
    app.execute(&format!("UPDATE message SET due_at = {now} WHERE id = '{}'", ids[0])).await;
    assert_eq!(app.wait_for_state(&ids[0], MessageState::Sent).await.attempt, 2);
    assert_eq!(world.sent_messages().len(), 2);
}

#[rstest]
#[tokio::test]
async fn a_process_that_lost_its_claim_records_nothing(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let options = Options::with_followers(1);
    let world = options.latency(Call::TemplateSend, Duration::from_millis(300));
    let world = Sandbox::start(world).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let id = app.queue(&world.main(), [0]).await.remove(0);
    let worker = app.worker();
    until("the send", || world.requests(Call::TemplateSend) == 1).await;
    app.execute("UPDATE message SET attempt = 7, due_at = NULL, sending_at = NULL").await;
    worker.stop().await;
    let message = app.message(&id).await;
    assert_eq!(world.sent_messages().len(), 1);
    assert_eq!((message.state, message.attempt), (MessageState::Queued, 7));
    assert!(message.attempts.is_empty());
}

#[rstest]
#[tokio::test]
async fn a_stopping_worker_finishes_its_sends_and_releases_its_claims(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let options = Options::with_followers(10);
    let world = options.latency(Call::TemplateSend, Duration::from_millis(500));
    let world = Sandbox::start(world).await.unwrap();
    // Two are claimed together, and the second is sent 200 ms later.
    let slow = "[push]\nrate_per_second = 5";
    let Some(app) = TestApp::configured(&world, backend, slow).await else { return };
    let ids = app.queue(&world.main(), 0..10).await;
    let worker = app.worker();
    until("the send", || world.requests(Call::TemplateSend) > 0).await;
    worker.stop().await;
    let (mut sent, mut queued) = (0, 0);
    for id in &ids {
        let message = app.message(id).await;
        match message.state {
            MessageState::Sent => sent += 1,
            state => {
                queued += 1;
                assert_eq!((state, message.attempt), (MessageState::Queued, 0));
                assert_eq!((message.sending_at, message.first_sent_at), (None, None));
                assert!(message.due_at <= Some(app.app.store.now().await.unwrap()));
            }
        }
    }
    assert_eq!((sent, queued), (world.sent_messages().len(), 10 - world.sent_messages().len()));
    assert!(sent < 10);
}

#[rstest]
#[tokio::test]
async fn old_messages_requests_and_template_stops_are_deleted(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = sandbox_with(2).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let store = &app.app.store;
    let now = store.now().await.unwrap();
    let hour = 3_600_000;
    let message_of = |days: i64, person: u64| {
        let world = world.clone();
        async move {
            let at = (now - days * 24 * hour).unsigned_abs();
            let id = uuid::Builder::from_unix_timestamp_millis(at, &[person as u8; 10]).into_uuid();
            let route = new_route(store, &world.main(), person).await;
            let id = id.simple().to_string().parse().unwrap();
            unionid_bridge::store::messages::NewMessage { id, ..new_message(route, None) }
        }
    };
    let (old, newer) = (message_of(91, 0).await, message_of(89, 1).await);
    queue(store, &[old, newer.clone()]).await;
    for (name, age) in [("old", 25 * hour), ("newer", 23 * hour)] {
        app.execute(&format!(
            "INSERT INTO message_request VALUES ('key', '{name}', 'body', '{{}}', 0, {})",
            now - age
        ))
        .await;
    }
    for (name, age) in [("old", 25 * hour), ("newer", 23 * hour)] {
        app.execute(&format!(
            "INSERT INTO template_stop VALUES (1, '{name}', {}, 0, 43107, 'banned')",
            now - age
        ))
        .await;
    }
    let _worker = app.worker();
    // Too old to be sent, too new to be deleted.
    app.wait_for_state(&newer.id, MessageState::Failed).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let messages = entity::message::Entity::find().all(store.reader()).await.unwrap();
        let requests = entity::message_request::Entity::find().all(store.reader()).await.unwrap();
        let stops = entity::template_stop::Entity::find().all(store.reader()).await.unwrap();
        let stops: Vec<_> = stops.iter().map(|stop| stop.template_id.as_str()).collect();
        let messages: Vec<_> = messages.iter().map(|message| message.id.as_str()).collect();
        let requests: Vec<_> = requests.iter().map(|request| request.name.as_str()).collect();
        if messages.len() + requests.len() + stops.len() <= 3 {
            let left = (messages, requests, stops);
            assert_eq!(left, (vec![newer.id.as_str()], vec!["newer"], vec!["newer"]));
            return;
        }
        assert!(Instant::now() < deadline, "{messages:?} {requests:?} {stops:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
