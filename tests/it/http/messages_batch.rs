//! `POST /v1/messages/batch`: one message to many people, with a result for each.

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{
    Answer, Backend, FOLLOWER, LEFT, READER, STRANGER, Sender, UNLINKED, by_openid, ids,
    status_and_code, until,
};

impl Sender {
    async fn batch(&self, body: Value) -> Answer {
        self.post("/v1/messages/batch", body).await
    }

    /// A template message to many targets.
    fn to_all(&self, targets: Value) -> Value {
        let mut message = self.message(json!({}));
        message.as_object_mut().unwrap().remove("to");
        message["targets"] = targets;
        message
    }
}

fn results(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["results"].as_array().unwrap().clone()
}

fn statuses(results: &[Value]) -> Vec<&str> {
    results.iter().map(|result| result["status"].as_str().unwrap()).collect()
}

#[rstest]
#[tokio::test]
async fn batch_targets_are_validated_independently_and_answered_in_order(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = Sender::on(backend).await else { return };
    let _worker = sender.app.worker();
    let main = sender.world.main();
    let answer = sender
        .batch(sender.to_all(json!([
            { "to": sender.user(UNLINKED) },
            { "to": sender.user(FOLLOWER), "data": { "thing2": "给你" } },
            { "to": sender.unionid(LEFT) },
            { "to": by_openid(&main, READER) },
            { "to": sender.user(STRANGER) },
            { "to": sender.unionid(READER + 1), "data": { "thing2": " ", "nothing1": "x" } },
            { "to": sender.user(2_000) },
            { "to": sender.user(FOLLOWER), "data": { "thing2": { "value": "又给你" } } },
        ])))
        .await;
    let results = results(&answer);
    assert_eq!(
        statuses(&results),
        [
            "no_unionid",
            "accepted",
            "unfollowed",
            "accepted",
            "not_a_follower",
            "data_invalid",
            "user_unknown",
            "accepted"
        ]
    );
    for result in &results {
        match result["status"].as_str().unwrap() {
            "accepted" => {
                let expected =
                    json!({ "status": "accepted", "id": result["id"], "state": "queued" });
                assert_eq!(result, &expected);
            }
            "data_invalid" => {
                let fields = result["errors"].as_array().unwrap().iter();
                let fields: Vec<_> = fields.map(|error| error["field"].clone()).collect();
                assert_eq!(fields, ["data.nothing1", "data.thing2"]);
            }
            _ => {
                assert!(result["detail"].is_string() && result["hint"].is_string(), "{result}");
                assert_eq!(result.as_object().unwrap().len(), 3, "{result}");
            }
        }
    }
    until("the messages", || sender.world.sent_messages().len() == 3).await;
    let mut messages: Vec<_> = sender.world.sent_messages();
    messages.sort_by_key(|sent| sent.person);
    let texts: Vec<_> = messages.iter().map(|sent| &sent.body["data"]["thing2"]["value"]).collect();
    assert_eq!((messages[2].person, texts[2]), (READER, &json!("雨伞")));
    let mut own = [texts[0].as_str().unwrap(), texts[1].as_str().unwrap()];
    own.sort_unstable();
    assert_eq!(own, ["又给你", "给你"]);
    assert_eq!(messages[0].body["data"]["time3"], messages[2].body["data"]["time3"]);
    let accepted = [1, 3, 7].map(|index: usize| results[index]["id"].as_str().unwrap().to_owned());
    let mut listed = sender.ids("").await;
    listed.sort_unstable();
    let mut accepted = accepted.to_vec();
    accepted.sort_unstable();
    assert_eq!(listed, accepted);
}

#[rstest]
#[tokio::test]
async fn a_batch_accepts_a_thousand_targets_and_no_more(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = Sender::on(backend).await else { return };
    let main = sender.world.main();
    let target = |n: u64| {
        let data =
            json!({ "character_string1": format!("A-{n}"), "thing2": "一二三四五六七八九十" });
        json!({ "to": by_openid(&main, n % 9), "data": data, })
    };
    let mut targets: Vec<_> = (0..1_000).map(target).collect();
    let mut body = sender.to_all(json!(targets));
    body["url"] = json!(format!("https://example.com/{}", "x".repeat(1_900)));
    let answer = sender.batch(body).await;
    let results = results(&answer);
    assert!(results.len() == 1_000 && statuses(&results).iter().all(|it| *it == "accepted"));
    let page = sender.get("/v1/messages?limit=200").await.json();
    let newest: Vec<_> = results.iter().map(|result| result["id"].as_str().unwrap()).collect();
    assert!(ids(&page).iter().all(|id| newest.contains(&id.as_str())));

    targets.push(target(1));
    let answer = sender.batch(sender.to_all(json!(targets))).await;
    assert_eq!(status_and_code(&answer), (400, "too_many_targets".into()));
    let answer = sender.batch(sender.to_all(json!([]))).await;
    assert_eq!(status_and_code(&answer), (400, "no_targets".into()));
}

#[rstest]
#[tokio::test]
async fn subscribe_messages_can_be_sent_in_batches(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = Sender::on(backend).await else { return };
    let mut subscribe = sender.subscribe();
    subscribe["data"].as_object_mut().unwrap().remove("thing2");
    let body = json!({ "subscribe": subscribe, "targets": [
        { "to": sender.user(STRANGER), "data": { "thing2": "a" } },
        { "to": sender.unionid(READER), "data": { "thing2": "b" } },
        { "to": sender.user(LEFT) },
    ] });
    let answer = sender.batch(body).await;
    assert_eq!(statuses(&results(&answer)), ["accepted", "not_a_user", "data_invalid"]);
}

#[rstest]
#[tokio::test]
async fn a_batch_with_an_idempotency_key_is_sent_once(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = Sender::on(backend).await else { return };
    let targets = json!([{ "to": sender.user(FOLLOWER) }, { "to": sender.user(STRANGER) }]);
    let send = async |targets: &Value| {
        let call = sender.service.post("/v1/messages/batch", sender.to_all(targets.clone()));
        call.key(&sender.key)
            .header("idempotency-key", "batch 1".replace(' ', "-").as_str())
            .send()
            .await
    };
    let first = send(&targets).await;
    assert_eq!(statuses(&results(&first)), ["accepted", "not_a_follower"]);
    // The stranger's later state does not change the answer.
    sender.world.main().rejoin([LEFT]);
    assert_eq!(send(&targets).await.text, first.text);
    assert_eq!(sender.ids("").await.len(), 1);
    let others = json!([{ "to": sender.user(FOLLOWER) }]);
    assert_eq!(status_and_code(&send(&others).await), (422, "idempotency_key_reused".into()));
    // An Idempotency-Key identifies one request across routes.
    let single = sender.send_named("batch-1", sender.message(sender.user(FOLLOWER))).await;
    assert_eq!(status_and_code(&single), (422, "idempotency_key_reused".into()));
}

#[tokio::test]
async fn an_invalid_batch_is_rejected_with_the_invalid_field() {
    let sender = Sender::on(Backend::Sqlite).await.unwrap();
    let good = json!([{ "to": sender.user(FOLLOWER) }]);
    let with = |member: &str, value: Value| {
        let mut batch = sender.to_all(good.clone());
        batch[member] = value;
        batch
    };
    for (body, text) in [
        (with("to", sender.user(FOLLOWER)), "`to`"),
        (with("targets", json!([{}])), "`targets[0]`"),
        (with("targets", json!([{ "to": { "unionid": "o\u{0}" } }])), "`targets[0].to.unionid`"),
        (with("targets", json!([{ "to": { "unionid": "o" }, "url": "x" }])), "`targets[0].url`"),
        (
            with("targets", json!([{ "to": { "unionid": "o" }, "data": { "a": [] } }])),
            "`targets[0].data.a`",
        ),
        (with("subscribe", sender.subscribe()), "`subscribe` alone"),
        (json!({ "targets": good }), "`template_id`"),
        (json!({ "template_id": "t" }), "`targets`"),
    ] {
        let answer = sender.batch(body.clone()).await;
        assert_eq!(status_and_code(&answer), (400, "invalid_body".into()), "{body}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(text), "{text}: {detail}");
    }
    let huge = with("url", json!("x".repeat(3_000_000)));
    assert_eq!(status_and_code(&sender.batch(huge).await), (413, "body_too_large".into()));
    let waits = sender.post("/v1/messages/batch?wait=true", sender.to_all(good.clone())).await;
    assert_eq!(status_and_code(&waits), (400, "invalid_query".into()));
}
