//! T25 over HTTP: requests with an Idempotency-Key, and requests that wait for WeChat.

use std::time::Duration;

use futures::future::join_all;
use rstest::rstest;
use sea_orm::EntityTrait;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use unionid_bridge::model::Scope;
use unionid_bridge::sandbox::{Call, Fault, Options};

use crate::harness::{
    Answer, Backend, FOLLOWER, READER, STRANGER, Sender, Service, send_partial, status_and_code,
    until,
};

/// A sandbox in which WeChat takes 1.5 s to accept a message.
async fn slow(backend: Backend) -> Option<Sender> {
    let options = Options::with_followers(30);
    let options = options.latency(Call::TemplateSend, Duration::from_millis(1_500));
    Sender::in_world(options, backend).await
}

impl Sender {
    /// Requests a message with an Idempotency-Key from a replica, and waits for WeChat.
    async fn wait_at(&self, service: &Service, name: &str, body: &Value) -> Answer {
        let call = service.post("/v1/messages?wait=true", body.clone()).key(&self.key);
        call.header("idempotency-key", name).send().await
    }
}

#[rstest]
#[tokio::test]
async fn fifty_concurrent_requests_with_one_idempotency_key_send_one_message(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = Sender::on(backend).await else { return };
    let _worker = sender.app.worker();
    let message = sender.message(sender.user(FOLLOWER));
    let tries = (0..50).map(|_| sender.send_named("order-17", message.clone()));
    let answers = join_all(tries).await;
    let first = answers.iter().find(|answer| answer.status == 202).unwrap();
    for answer in &answers {
        match answer.status {
            202 => assert_eq!(answer.text, first.text),
            _ => {
                assert_eq!(status_and_code(answer), (409, "request_in_flight".into()));
                assert_eq!(answer.header("retry-after"), "1");
            }
        }
    }
    assert_eq!(sender.send_named("order-17", message).await.text, first.text);
    let id = first.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(sender.ids("").await, [id]);
    until("the message", || sender.world.sent_messages().len() == 1).await;
    assert_eq!(sender.world.requests(Call::TemplateSend), 1);
}

#[rstest]
#[tokio::test]
async fn an_idempotency_key_identifies_one_request_of_one_caller(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = Sender::on(backend).await else { return };
    let message = sender.message(sender.user(FOLLOWER));
    let first = sender.send_named("k", message.clone()).await;
    assert_eq!(first.status, 202, "{first:?}");
    // White space, the order of members, and the notation of a text do not matter.
    let (to, template) = (&message["to"], &message["template_id"]);
    let data =
        r#"{"time3": {"value": "2026-01-01 12:00"}, "thing2":"雨伞", "character_string1":"A-1"}"#;
    let other = format!(r#" {{ "data": {data}, "template_id" : {template}, "to":{to} }} "#);
    let call = sender.service.call("POST", "/v1/messages").key(&sender.key).body(other);
    let call = call.header("content-type", "application/json").header("idempotency-key", "k");
    assert_eq!(call.send().await.text, first.text);
    let waits = sender.wait_at(&sender.service, "k", &message).await;
    assert_eq!((waits.status, &waits.text), (202, &first.text));
    for (member, value) in
        [("url", json!("https://example.com")), ("to", sender.user(STRANGER)), ("to", json!({}))]
    {
        let mut changed = message.clone();
        changed[member] = value.clone();
        let answer = sender.send_named("k", changed).await;
        let expected = match value == json!({}) {
            true => (400, "invalid_body"),
            false => (422, "idempotency_key_reused"),
        };
        assert_eq!(status_and_code(&answer), (expected.0, expected.1.into()), "{member}");
    }
    let elsewhere = sender.service.key(&[Scope::Push]).await;
    let call = sender.service.post("/v1/messages", message.clone()).key(&elsewhere);
    let answer = call.header("idempotency-key", "k").send().await;
    assert_ne!((answer.status, &answer.text), (202, &first.text));
    assert_eq!(sender.send_named("K", message).await.status, 202);
    assert_eq!(sender.ids("").await.len(), 3);
}

#[rstest]
#[tokio::test]
async fn a_rejected_request_may_be_repeated_with_its_idempotency_key(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = Sender::on(backend).await else { return };
    let message = sender.message(sender.user(READER));
    let answer = sender.send_named("k", message.clone()).await;
    assert_eq!(status_and_code(&answer), (404, "user_unknown".into()));
    sender.log_in(READER).await;
    assert_eq!(sender.send_named("k", message).await.status, 202);
    for name in ["", "a b", "\u{e9}", &"x".repeat(256)] {
        let message = sender.message(sender.user(FOLLOWER));
        let answer = sender.send_named(name, message).await;
        assert_eq!(status_and_code(&answer), (400, "idempotency_key_invalid".into()), "{name}");
    }
    let longest = "~".repeat(255);
    let message = sender.message(sender.user(FOLLOWER));
    assert_eq!(sender.send_named(&longest, message).await.status, 202);
}

#[rstest]
#[tokio::test]
async fn a_repeat_in_flight_gets_409_and_later_the_same_answer_on_any_replica(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = slow(backend).await else { return };
    let _worker = sender.app.worker();
    let replica = sender.app.replica(&sender.world).await;
    let there = Service::start(&replica).await;
    let message = sender.message(sender.user(FOLLOWER));
    let first = sender.wait_at(&sender.service, "k", &message);
    let meanwhile = async {
        until("the send", || sender.world.requests(Call::TemplateSend) == 1).await;
        for service in [&sender.service, &there] {
            let answer = sender.wait_at(service, "k", &message).await;
            assert_eq!(status_and_code(&answer), (409, "request_in_flight".into()));
            assert_eq!(answer.header("retry-after"), "1");
            let other = sender.message(sender.user(STRANGER));
            let answer = sender.wait_at(service, "k", &other).await;
            assert_eq!(status_and_code(&answer), (422, "idempotency_key_reused".into()));
        }
    };
    let (first, ()) = tokio::join!(first, meanwhile);
    assert_eq!(first.status, 200, "{first:?}");
    let shown = first.json();
    let person = sender.world.main().person(FOLLOWER);
    assert_eq!((&shown["state"], &shown["openid"]), (&json!("sent"), &json!(person.openid)));
    assert_eq!(shown, sender.get_message(shown["id"].as_str().unwrap()).await);
    for service in [&sender.service, &there] {
        let again = sender.wait_at(service, "k", &message).await;
        assert_eq!((again.status, &again.text), (200, &first.text));
    }
    assert_eq!(sender.world.sent_messages().len(), 1);

    // The stored answer contains no personal data, so an erasure leaves nothing.
    let kept = entity::message_request::Entity::find().one(sender.app.app.store.reader()).await;
    let kept = kept.unwrap().unwrap().answer;
    let unionid = person.unionid.unwrap();
    assert!(!kept.contains(&person.openid) && !kept.contains(&unionid), "{kept}");
    let erase = sender.service.delete(&format!("/v1/identities/{unionid}")).key(&sender.key);
    assert_eq!(erase.send().await.status, 204);
    let gone = sender.wait_at(&sender.service, "k", &message).await;
    assert_eq!(status_and_code(&gone), (404, "message_unknown".into()));
}

#[rstest]
#[tokio::test]
async fn a_caller_that_disconnects_gets_the_answer_on_a_retry(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = slow(backend).await else { return };
    let _worker = sender.app.worker();
    let message = sender.message(sender.user(FOLLOWER));
    let body = message.to_string();
    let request = format!(
        "POST /v1/messages?wait=true HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nIdempotency-Key: k\r\nContent-Length: {}\r\n\r\n{body}",
        sender.key,
        body.len()
    );
    let connection = send_partial(sender.service.address, &request).await;
    until("the send", || sender.world.requests(Call::TemplateSend) == 1).await;
    drop(connection);
    let mut answer = sender.wait_at(&sender.service, "k", &message).await;
    while answer.status == 409 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        answer = sender.wait_at(&sender.service, "k", &message).await;
    }
    assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("sent")));
    assert_eq!(sender.world.sent_messages().len(), 1);
}

#[tokio::test]
async fn a_wait_that_times_out_answers_202_and_the_message_is_sent_later() {
    let sender = Sender::on(Backend::Sqlite).await.unwrap();
    // No worker runs.
    let message = sender.message(sender.user(FOLLOWER));
    let answer = sender.wait_at(&sender.service, "k", &message).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.json(), json!({ "id": id, "state": "queued" }));
    let worker = sender.app.worker();
    until("the message", || sender.world.sent_messages().len() == 1).await;
    worker.stop().await;
    let again = sender.wait_at(&sender.service, "k", &message).await;
    assert_eq!((again.status, &again.text), (202, &answer.text));
}

#[tokio::test]
async fn shutdown_waits_for_callers_that_wait_for_a_message() {
    let sender = slow(Backend::Sqlite).await.unwrap();
    let _worker = sender.app.worker();
    let message = sender.message(sender.user(FOLLOWER));
    let waiting = sender.wait_at(&sender.service, "k", &message);
    let stopping = async {
        until("the send", || sender.world.requests(Call::TemplateSend) == 1).await;
        sender.service.request_stop();
    };
    let (answer, ()) = tokio::join!(waiting, stopping);
    assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("sent")));
}

#[rstest]
#[tokio::test]
async fn a_rolled_api_key_gets_the_stored_answers_of_the_old_key(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = Sender::on(backend).await else { return };
    let message = sender.message(sender.user(FOLLOWER));
    let first = sender.send_named("k", message.clone()).await;
    let mut key = sender.key.clone();
    for _ in 0..2 {
        let id = key.split('_').nth(1).unwrap().to_owned();
        let rolled = sender.app.app.keys.roll(&id, Duration::from_secs(3_600), "test").await;
        key = rolled.unwrap().new.text.expose_secret().to_owned();
        let named = async |message: &Value| {
            let call = sender.service.post("/v1/messages", message.clone()).key(&key);
            call.header("idempotency-key", "k").send().await
        };
        assert_eq!(named(&message).await.text, first.text);
        let other = sender.message(sender.user(STRANGER));
        assert_eq!(status_and_code(&named(&other).await), (422, "idempotency_key_reused".into()));
    }
    assert_eq!(sender.ids("").await.len(), 1);
}

#[rstest]
#[tokio::test]
async fn a_waiting_caller_gets_the_outcome_of_the_retry_after_a_lost_answer(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = Sender::on(backend).await else { return };
    let _worker = sender.app.worker();
    sender.world.fail(Call::TemplateSend, 1, Fault::HttpStatus(502));
    let message = sender.message(sender.user(FOLLOWER));
    let first = sender.wait_at(&sender.service, "k", &message).await;
    assert_eq!((first.status, &first.json()["state"]), (200, &json!("sent")), "{first:?}");
    let attempts = first.json()["attempts"].as_array().unwrap().clone();
    let outcomes: Vec<_> = attempts.iter().map(|made| made["outcome"].as_str()).collect();
    assert_eq!(outcomes, [Some("answer_lost"), Some("accepted")]);
    assert_eq!(sender.wait_at(&sender.service, "k", &message).await.text, first.text);
}
