//! Blank members of a message, as in WeChat's own examples, count as missing.

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{Backend, FOLLOWER, Sender, status_and_code, until};

#[rstest]
#[tokio::test]
async fn blank_links_pages_and_colours_are_omitted_and_colours_are_free_text(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = Sender::on(backend).await else { return };
    sender.grant_consent(FOLLOWER);
    let _worker = sender.app.worker();
    let program = sender.program().appid().to_owned();
    let mut message = sender.message(sender.user(FOLLOWER));
    message["url"] = json!("");
    message["miniprogram"] = json!({ "appid": program, "pagepath": "" });
    message["data"]["thing2"] = json!({ "value": "伞", "color": "" });
    message["data"]["time3"] = json!({ "value": "2026-01-01 12:00", "color": "dark blue" });
    let id = sender.send_accepted(message.clone()).await;
    let mut subscribe = sender.subscribe();
    subscribe["page"] = json!("");
    let small =
        sender.send_accepted(json!({ "to": sender.user(FOLLOWER), "subscribe": subscribe })).await;
    until("both messages", || sender.world.sent_messages().len() == 2).await;
    let sent = sender.world.sent_messages();
    let body = |id: &str| -> Value {
        sent.iter().find(|it| it.client_msg_id.as_deref() == Some(id)).map_or_else(
            || sent.iter().find(|it| it.client_msg_id.is_none()).unwrap().body.clone(),
            |it| it.body.clone(),
        )
    };
    let (whole, small) = (body(&id), body(&small));
    assert_eq!(whole.get("url"), None, "{whole}");
    assert_eq!(whole["miniprogram"], json!({ "appid": program }));
    assert_eq!(whole["data"]["thing2"], json!({ "value": "伞" }));
    assert_eq!(small.get("page"), None, "{small}");

    // For the Idempotency-Key, blank and missing members are the same request.
    let named = sender.send_named("n", message.clone()).await;
    assert_eq!(named.status, 202, "{named:?}");
    message.as_object_mut().unwrap().remove("url");
    message["miniprogram"] = json!({ "appid": program });
    message["data"]["thing2"] = json!({ "value": "伞" });
    assert_eq!(sender.send_named("n", message.clone()).await.json()["id"], named.json()["id"]);
    message["data"]["thing2"] = json!({ "value": "伞", "color": "x".repeat(65) });
    assert_eq!(status_and_code(&sender.send(message).await), (400, "invalid_body".into()));
}
