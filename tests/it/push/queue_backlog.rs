//! Long queues, and queues whose first messages cannot be sent: the other messages are still sent.

use std::time::Duration;

use rstest::rstest;
use unionid_bridge::model::{MessageId, MessageState, Text};
use unionid_bridge::sandbox::{Account, Call, Fault, Options, Quirk, Sandbox};
use unionid_bridge::store::messages::{NewMessage, insert};
use unionid_bridge::store::{Store, accounts, template_stops};

use crate::harness::{Backend, TestApp, account_id, new_message, new_route, queue, until};

/// Inserts a message to each person, accepted `ago_ms` milliseconds ago.
async fn accepted_ago(
    store: &Store,
    account: &Account,
    people: std::ops::Range<u64>,
    ago_ms: i64,
) -> Vec<MessageId> {
    let at = store.now().await.unwrap() - ago_ms;
    let template = new_message(new_route(store, account, 0).await, None);
    let message = |number: u64| {
        let mut random = [0; 10];
        random[..8].copy_from_slice(&number.to_be_bytes());
        let id = uuid::Builder::from_unix_timestamp_millis(at.unsigned_abs(), &random).into_uuid();
        let mut message =
            NewMessage { id: id.simple().to_string().parse().unwrap(), ..template.clone() };
        message.route.openid = format!("o{number}").parse().unwrap();
        message
    };
    let messages: Vec<_> = people.map(message).collect();
    insert(store.writer(), &messages, at).await.unwrap();
    messages.into_iter().map(|message| message.id).collect()
}

/// A message with the account's second template.
async fn by_another_template(store: &Store, account: &Account, person: u64) -> NewMessage {
    let mut route = new_route(store, account, person).await;
    route.template_id = account.template_ids()[1].parse().unwrap();
    let text =
        |key: &str, value: &str| (key.to_owned(), Text { value: value.to_owned(), color: None });
    route.content.data =
        [text("thing1", "体检"), text("time2", "2026-01-01 12:00"), text("phrase3", "成功")].into();
    new_message(route, None)
}

#[rstest]
#[tokio::test]
async fn expired_messages_fail_in_batches_and_newer_ones_are_sent(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    const MANY: u64 = 2_300;
    let world = Sandbox::with_followers(3).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let (store, main) = (&app.app.store, world.main());
    let day = 24 * 3_600_000;
    let due = accepted_ago(store, &main, 0..MANY, day + 1_000).await;
    let later = accepted_ago(store, &main, MANY..2 * MANY, day + 1_000).await;
    let now = store.now().await.unwrap();
    app.execute(&format!(
        "UPDATE message SET due_at = {} WHERE id >= '{}'",
        now + day,
        later.iter().min().unwrap()
    ))
    .await;
    let young = app.queue(&main, [0]).await.remove(0);
    let _worker = app.worker();
    app.wait_for_state(&young, MessageState::Sent).await;
    for id in [&due[0], &due[MANY as usize - 1], &later[0], &later[MANY as usize - 1]] {
        let message = app.wait_for_state(id, MessageState::Failed).await;
        assert_eq!(message.reason.as_deref(), Some("expired"));
        assert!(message.finished_at.is_some() && message.attempt == 0);
    }
    assert_eq!(world.requests(Call::TemplateSend), 1);
}

#[rstest]
#[tokio::test]
async fn a_stopped_template_does_not_block_other_templates(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    const MANY: u64 = 9_000;
    let world = Sandbox::with_followers(20).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let (store, main) = (&app.app.store, world.main());
    let stopped = accepted_ago(store, &main, 0..MANY, 1_000).await;
    let (account, until_at) =
        (account_id(store, &main).await, store.now().await.unwrap() + 600_000);
    app.execute(&format!(
        "INSERT INTO template_stop VALUES ({account}, '{}', {until_at}, 0, 43107, 'banned')",
        main.template_ids()[0]
    ))
    .await;
    let mut others = Vec::new();
    for person in 0..20 {
        others.push(by_another_template(store, &main, person).await);
    }
    let began = std::time::Instant::now();
    let _worker = app.worker();
    for id in &queue(store, &others).await {
        app.wait_for_state(id, MessageState::Sent).await;
    }
    // Three polls of the queue, none of which reads the contents of the messages.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    for id in [&stopped[0], &stopped[MANY as usize - 1]] {
        let waiting = app.message(id).await;
        assert_eq!((waiting.state, waiting.due_at), (MessageState::Queued, Some(until_at)));
        assert_eq!(waiting.reason.as_deref(), Some("template_stopped"));
    }
    assert_eq!(world.requests(Call::TemplateSend), 20);
}

#[rstest]
#[tokio::test]
async fn messages_to_one_user_are_sent_in_sequence_without_blocking_others(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    const LATENCY_MS: i64 = 300;
    let options = Options::with_followers(9);
    let latency = Duration::from_millis(LATENCY_MS.unsigned_abs());
    let world = Sandbox::start(options.latency(Call::TemplateSend, latency)).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let to_one = app.queue(&world.main(), [0; 4]).await;
    let to_others = app.queue(&world.main(), 1..9).await;
    let _worker = app.worker();
    let mut sent = Vec::new();
    for id in &to_one {
        sent.push(app.wait_for_state(id, MessageState::Sent).await.sent_at.unwrap());
    }
    sent.sort_unstable();
    for pair in sent.windows(2) {
        assert!(pair[1] - pair[0] >= LATENCY_MS - 2, "{sent:?}");
    }
    for id in &to_others {
        assert!(app.wait_for_state(id, MessageState::Sent).await.sent_at.unwrap() < sent[2]);
    }
}

#[rstest]
#[tokio::test]
async fn a_message_alone_refused_as_misconfigured_holds_others_briefly(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(30).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let (main, store) = (world.main(), &app.app.store);
    main.quirk([0], Quirk::SendErrcode(48001));
    let poison = app.queue(&main, [0]).await.remove(0);
    let _worker = app.worker();
    for (person, refusals) in (1..).zip(1..=3) {
        app.wait_for_message(&poison, |message| message.attempts.len() >= refusals).await;
        // The next attempt uses another message.
        let id = app.queue(&main, [person]).await.remove(0);
        app.wait_for_state(&id, MessageState::Sent).await;
    }
    let failed = app.wait_for_state(&poison, MessageState::Failed).await;
    assert_eq!((failed.reason.as_deref(), failed.attempts.len()), (Some("refused"), 3));
    let pace = unionid_bridge::store::push_pace::find(
        store.reader(),
        accounts::find(store.reader(), &app.account.appid).await.unwrap().unwrap(),
    );
    let pace = pace.await.unwrap().unwrap();
    assert_eq!((pace.held_until, pace.held_reason), (0, None));
    assert_eq!(world.sent_messages().len(), 3);
}

#[rstest]
#[tokio::test]
async fn an_unknown_template_is_stopped_without_failing_the_queue(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(30).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let unknown = world.fail(Call::TemplateSend, 1..=2, Fault::Errcode(40037));
    let ids = app.queue(&world.main(), 0..1).await;
    let _worker = app.worker();
    let failed = app.wait_for_state(&ids[0], MessageState::Failed).await;
    assert_eq!(failed.reason.as_deref(), Some("template_unknown"));
    assert_eq!((failed.attempts.len(), world.hits(unknown)), (2, 2));
    let account = account_id(&app.app.store, &world.main()).await;
    let stops = template_stops::list(app.app.store.reader(), account).await.unwrap();
    let stops: Vec<_> = stops.iter().map(|stop| stop.errcode).collect();
    assert_eq!(stops, [40037]);
    // The template works again: one message is tried first, then all are sent.
    let others = app.queue(&world.main(), 1..9).await;
    for id in &others {
        app.wait_for_state(id, MessageState::Sent).await;
    }
    until("the messages", || world.sent_messages().len() == 8).await;
}
