//! T26, end to end: `serve` sends messages, and the sandbox pushes receipts over HTTP: before the answer,
//! three times, or late.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use unionid_bridge::model::MessageId;
use unionid_bridge::sandbox::{Account, Call, Callback, Fault, Options, Permission, Sandbox};

use crate::harness::{Backend, Bridge, ServeProcess, TestDatabase, by_openid, eventually};

/// A running `serve` with callbacks in safe mode.
struct Setup {
    world: Sandbox,
    _database: TestDatabase,
    serve: ServeProcess,
    key: String,
}

impl Setup {
    async fn on(backend: Backend) -> Option<Self> {
        let database = TestDatabase::new(backend).await?;
        let options = Options::with_followers(10);
        let url = "http://127.0.0.1:9/v1/callbacks/{appid}";
        let options = options.callbacks(|appid, _| Some(Callback::made(url, 1, appid)));
        let world = Sandbox::start(options).await.unwrap();
        let bridge = Bridge::on(&world, &database.url, "");
        let key = bridge.key("push").await;
        let serve = ServeProcess::start(&bridge).await;
        let url = format!("http://{}/v1/callbacks/{{appid}}", serve.address);
        world.set_callback_url(&url).unwrap();
        Some(Self { world, _database: database, serve, key })
    }

    /// Sends a message and waits for WeChat's answer.
    async fn send(&self, message: Value) -> Value {
        let call = self.serve.call("POST", "/v1/messages?wait=true").key(&self.key);
        let call = call.header("content-type", "application/json").body(message.to_string());
        let answer = call.send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    async fn get_message(&self, id: &Value) -> Value {
        let path = format!("/v1/messages/{}", id.as_str().unwrap());
        self.serve.call("GET", &path).key(&self.key).send().await.json()
    }

    /// Waits until a message is in a state, then 500 ms more, and returns it.
    async fn wait_for_state(&self, id: &Value, state: &str) -> Value {
        eventually(state, async || self.get_message(id).await["state"] == state).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        self.get_message(id).await
    }
}

fn template(account: &Account, person: u64) -> Value {
    json!({
        "to": by_openid(account, person),
        "template_id": account.template_ids()[0],
        "data": { "character_string1": "A-1", "thing2": "雨伞", "time3": "2026-01-01 12:00" },
    })
}

fn subscribe(account: &Account, person: u64) -> Value {
    let data = json!({
        "character_string1": "A-1", "thing2": "雨伞", "amount3": "¥12.50", "time4": "2026-01-01 12:00",
    });
    let subscribe = json!({ "template_id": account.template_ids()[0], "data": data });
    json!({ "to": by_openid(account, person), "subscribe": subscribe })
}

#[rstest]
#[tokio::test]
async fn early_late_and_repeated_receipts_end_a_message_once(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(setup) = Setup::on(backend).await else { return };
    let (world, main) = (&setup.world, setup.world.main());
    let program = world.mini_program().unwrap();
    for (person, receipt, state, reason) in [
        (0, "early", "delivered", Value::Null),
        (1, "x3", "delivered", Value::Null),
        (2, "1500ms", "delivered", Value::Null),
        (3, "early+x3", "delivered", Value::Null),
        (4, "user-block+early", "failed", json!("failed:user block")),
        (5, "system-failed+x3", "failed", json!("failed:system failed")),
        (6, "1s+x3", "delivered", Value::Null),
    ] {
        for (call, message) in [
            (Call::TemplateSend, template(&main, person)),
            (Call::SubscribeSend, subscribe(&program, person)),
        ] {
            program.grant(person, &program.template_ids()[0], Permission::Always);
            world.clear_faults();
            world.fail(call, 1, Fault::Receipt(receipt.parse().unwrap()));
            let sent = setup.send(message).await;
            let ended = setup.wait_for_state(&sent["id"], state).await;
            let expected = match (call, &reason) {
                (Call::SubscribeSend, Value::String(reason)) => json!(format!("{reason} (1)")),
                _ => reason.clone(),
            };
            assert_eq!(
                (&ended["state"], &ended["reason"]),
                (&json!(state), &expected),
                "{receipt}"
            );
            assert!(ended["finished_at"].is_string() && ended["next_attempt_at"].is_null());
            assert_eq!(ended["attempts"].as_array().unwrap().len(), 1, "{ended}");
            let made = world.sent_messages();
            let made = made.iter().filter(|made| made.call == call && made.person == person);
            let msgids: Vec<_> = made.map(|made| made.msgid).collect();
            assert_eq!((msgids.len(), ended["msgid"].as_i64()), (1, Some(msgids[0])));
        }
    }
    assert_eq!(setup.serve.stop().await.0, Some(0));
}

#[rstest]
#[tokio::test]
async fn a_receipt_resolves_a_message_with_a_lost_response(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(setup) = Setup::on(backend).await else { return };
    let program = setup.world.mini_program().unwrap();
    program.grant(0, &program.template_ids()[0], Permission::Always);
    setup.world.fail(Call::SubscribeSend, 1, Fault::AnswerLost);
    let unknown = setup.send(subscribe(&program, 0)).await;
    assert!(["unknown", "delivered"].contains(&unknown["state"].as_str().unwrap()), "{unknown}");
    let ended = setup.wait_for_state(&unknown["id"], "delivered").await;
    let id: MessageId = ended["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(
        (ended["reason"].clone(), id.as_str()),
        (Value::Null, unknown["id"].as_str().unwrap())
    );
    assert_eq!(setup.world.sent_messages().len(), 1);
}
