//! T25, end to end: `serve` is killed after WeChat accepted a message. The API then shows the right state.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};
use unionid_bridge::model::MessageState;
use unionid_bridge::sandbox::{Call, Permission, Sandbox};
use unionid_bridge::store::Store;

use crate::harness::{
    Backend, Bridge, ServeProcess, TestDatabase, by_openid, ids, message, new_message, new_route,
    queue, send_partial, until, wait_for_state,
};

/// The timeout for WeChat. A claim on a message lasts ten seconds longer.
const TIMEOUT: (&str, &str) = ("UNIONID_BRIDGE__WECHAT__TIMEOUT_SECONDS", "2");

/// A `serve` that is killed before it records WeChat's answer, and its successor.
struct Restart {
    world: Sandbox,
    _database: TestDatabase,
    store: Store,
    dying: Bridge,
    next: Bridge,
    key: String,
}

impl Restart {
    async fn on(backend: Backend, toml: &str) -> Option<Self> {
        let database = TestDatabase::new(backend).await?;
        let world = Sandbox::with_followers(3).await.unwrap();
        let store = database.store().await;
        let bridge = || Bridge::on(&world, &database.url, toml).with(TIMEOUT.0, TIMEOUT.1);
        let (dying, next) = (bridge().with("FAILPOINTS", "push.accepted=return"), bridge());
        let key = next.key("push,metrics").await;
        Some(Self { world, _database: database, store, dying, next, key })
    }

    /// Waits until the failpoint kills the first process.
    async fn wait_for_kill(&self, serve: ServeProcess) {
        let (status, output) = serve.wait().await;
        assert_eq!(status.signal(), Some(9), "{}", String::from_utf8_lossy(&output));
        assert_eq!(self.world.sent_messages().len(), 1);
    }

    async fn get(&self, serve: &ServeProcess, path: &str) -> Value {
        let answer = serve.call("GET", path).key(&self.key).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }
}

#[rstest]
#[tokio::test]
async fn a_message_of_a_killed_process_becomes_unknown_and_then_sent(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(restart) = Restart::on(backend, "").await else { return };
    let (world, store) = (&restart.world, &restart.store);
    let id = queue(store, &[new_message(new_route(store, &world.main(), 0).await, None)])
        .await
        .remove(0);
    let (began, serve) = (Instant::now(), ServeProcess::start(&restart.dying).await);
    restart.wait_for_kill(serve).await;
    let serve = ServeProcess::start(&restart.next).await;
    let mut states: Vec<String> = Vec::new();
    loop {
        let shown = restart.get(&serve, &format!("/v1/messages/{id}")).await;
        let state = shown["state"].as_str().unwrap().to_owned();
        if state == "unknown" {
            assert_eq!(shown["reason"], "answer_lost");
            assert_eq!(shown["attempts"][0]["outcome"], "answer_lost");
            assert!(shown["next_attempt_at"].is_string(), "{shown}");
        }
        if states.last() != Some(&state) {
            states.push(state.clone());
        }
        let list = async |state: &str| {
            ids(&restart.get(&serve, &format!("/v1/messages?state={state}")).await)
        };
        if state == "unknown" && states.len() == 2 {
            assert_eq!((list("unknown").await.len(), list("queued").await.len()), (1, 0));
        }
        if state == "sent" {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(40), "{states:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(states, ["queued", "unknown", "sent"]);
    // The message was sent again, and WeChat answered that it is a duplicate.
    assert_eq!(world.stats().errors(Call::TemplateSend, 40241), 1);
    assert_eq!(world.sent_messages().len(), 1);
    let sent = message(store, &id).await;
    let outcomes: Vec<_> = sent.attempts.iter().map(|made| made.outcome.as_str()).collect();
    assert_eq!(outcomes, ["answer_lost", "accepted"]);
    assert_eq!(serve.stop().await.0, Some(0));
}

#[rstest]
#[tokio::test]
async fn a_request_repeated_after_a_kill_conflicts_and_then_sends_once(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(restart) = Restart::on(backend, "").await else { return };
    let main = restart.world.main();
    let data = json!({ "character_string1": "A-1", "thing2": "雨伞", "time3": "2026-01-01 12:00" });
    let template = &main.template_ids()[0];
    let body = json!({ "to": by_openid(&main, 0), "template_id": template, "data": data });
    let body = body.to_string();
    let serve = ServeProcess::start(&restart.dying).await;
    let request = format!(
        "POST /v1/messages?wait=true HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nIdempotency-Key: k\r\nContent-Length: {}\r\n\r\n{body}",
        restart.key,
        body.len()
    );
    let _caller = send_partial(serve.address, &request).await;
    restart.wait_for_kill(serve).await;

    let serve = ServeProcess::start(&restart.next).await;
    let repeat = async || {
        let call = serve.call("POST", "/v1/messages?wait=true").key(&restart.key);
        let call = call.header("content-type", "application/json").body(body.clone());
        call.header("idempotency-key", "k").send().await
    };
    let (began, mut in_flight) = (Instant::now(), 0);
    let first = loop {
        let answer = repeat().await;
        if answer.status != 409 {
            break answer;
        }
        assert_eq!(answer.code(), "request_in_flight");
        in_flight += 1;
        assert!(began.elapsed() < Duration::from_secs(40));
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert!(in_flight > 0);
    assert_eq!((first.status, &first.json()["state"]), (202, &json!("queued")));
    let id = first.json()["id"].as_str().unwrap().parse().unwrap();
    wait_for_state(&restart.store, &id, MessageState::Sent).await;
    assert_eq!(repeat().await.text, first.text);
    assert_eq!(restart.world.sent_messages().len(), 1);
    assert_eq!(ids(&restart.get(&serve, "/v1/messages").await), [id.as_str()]);
}

#[rstest]
#[tokio::test]
async fn after_a_kill_only_sent_subscribe_messages_become_unknown(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    // Both are claimed together, and the second would be sent after the first.
    let Some(restart) = Restart::on(backend, "[push]\nconcurrency = 1").await else { return };
    let (world, store) = (&restart.world, &restart.store);
    let program = world.mini_program().unwrap();
    let mut both = Vec::new();
    for person in 0..2 {
        program.grant(person, &program.template_ids()[0], Permission::Always);
        both.push(new_message(new_route(store, &program, person).await, None));
    }
    let ids = queue(store, &both).await;
    let serve = ServeProcess::start(&restart.dying).await;
    restart.wait_for_kill(serve).await;
    let mut left = [message(store, &ids[0]).await, message(store, &ids[1]).await];
    left.sort_by_key(|message| message.sending_at.is_none());
    assert_eq!(left.each_ref().map(|message| message.attempt), [1, 1]);
    assert!(left[0].sending_at.is_some() && left[1].sending_at.is_none(), "{left:?}");

    let serve = ServeProcess::start(&restart.next).await;
    wait_for_state(store, &left[1].id, MessageState::Sent).await;
    let lost = wait_for_state(store, &left[0].id, MessageState::Unknown).await;
    assert_eq!(lost.reason.as_deref(), Some("answer_lost"));
    assert_eq!(world.requests(Call::SubscribeSend), 2);
    until("both", || world.sent_messages().len() == 2).await;
    let metrics = serve.call("GET", "/metrics").key(&restart.key).send().await.text;
    let unknown = format!("push_unknown_total{{app_id=\"{}\"}} 1", program.appid());
    assert!(metrics.contains(&unknown), "{metrics}");
}
