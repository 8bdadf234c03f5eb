//! Receipts, as the sender of a message sees them.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::messages::message;
use super::pushes::plain_world;
use super::receiver::{Reaction, Receiver};
use super::*;
use crate::sandbox::{Call, Fault, Outcome, PushState, Quirk, Receipt, When};

async fn send_to(world: &Sandbox, person: u64) -> Value {
    let token = stable_token(world, &world.main()).await;
    let path = format!("/cgi-bin/message/template/send?access_token={token}");
    post(world, &path, &message(world, person)).await
}

/// Returns the message ids and statuses of the received receipts.
fn receipts(receiver: &Receiver) -> Vec<(i64, String)> {
    let between = |text: &str, from: &str, to: &str| {
        let (_, rest) = text.split_once(from).unwrap();
        rest.split_once(to).unwrap().0.to_owned()
    };
    let read = |body: String| {
        assert!(body.contains("<Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event>"), "{body}");
        let status = between(&body, "<Status><![CDATA[", "]]></Status>");
        (between(&body, "<MsgID>", "</MsgID>").parse().unwrap(), status)
    };
    receiver.received().into_iter().map(|received| read(received.body)).collect()
}

#[tokio::test]
async fn a_duplicate_message_has_no_second_receipt() {
    let receiver = Receiver::accepting().await;
    let world = plain_world(&receiver).await;
    let answer = send_to(&world, 3).await;
    assert_eq!(send_to(&world, 3).await["errcode"], 40241);
    world.settled().await;
    let msgid = answer["msgid"].as_i64().unwrap();
    assert_eq!(receipts(&receiver), [(msgid, "success".to_owned())]);
    assert_eq!(receiver.only().query["openid"], world.main().person(3).openid);
    assert_eq!(world.pushes()[0].event, "TEMPLATESENDJOBFINISH");
}

#[tokio::test]
async fn a_quirk_or_fault_sets_the_status_of_a_receipt() {
    let receiver = Receiver::accepting().await;
    let world = plain_world(&receiver).await;
    let main = world.main();
    main.quirk([1, 2], Quirk::Receipt(Receipt::of(Outcome::UserBlock)));
    main.quirk([2], Quirk::Receipt(Receipt::none()));
    for rule in ["template/send:3:receipt=system-failed", "template/send:4:receipt=freq-limit"] {
        world.apply(rule.parse().unwrap()).unwrap();
    }
    for person in [1, 2, 3, 4] {
        assert_eq!(send_to(&world, person).await["errcode"], 0);
        world.settled().await;
    }
    let statuses: Vec<_> = receipts(&receiver).into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses, ["failed:user block", "failed: system failed", "failed:freq limit"]);
    assert_eq!(world.sent_messages().len(), 4);
}

#[tokio::test]
async fn an_early_receipt_is_pushed_before_the_response() {
    let receiver = Receiver::answering(&[Reaction::Stall, Reaction::Answer(200, "success")]).await;
    let world = plain_world(&receiver).await;
    world.fail(Call::TemplateSend, 1, Fault::Receipt(Receipt::default().early()));
    let msgid = send_to(&world, 3).await["msgid"].as_i64().unwrap();
    assert_eq!(world.pushes()[0].state, PushState::Accepted);
    assert_eq!(receipts(&receiver)[1], (msgid, "success".to_owned()));
}

#[tokio::test]
async fn a_receipt_does_not_wait_for_a_stalled_response() {
    let receiver = Receiver::accepting().await;
    let world = plain_world(&receiver).await;
    world.fail(Call::TemplateSend, 1, Fault::Stall(Duration::from_secs(600)));
    let pushed = async {
        while receiver.received().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        answer = send_to(&world, 3) => panic!("{answer}"),
        () = pushed => {}
    }
    assert_eq!(receipts(&receiver)[0].0, world.sent_messages()[0].msgid);
}

#[tokio::test]
async fn a_receipt_can_be_delayed() {
    let receiver = Receiver::accepting().await;
    let world = plain_world(&receiver).await;
    let late = |time| Quirk::Receipt(Receipt::default().late(time));
    world.main().quirk([3], late(Duration::from_millis(60)));
    world.main().quirk([4], late(Duration::from_secs(600)));
    let started = Instant::now();
    send_to(&world, 3).await;
    world.settled().await;
    assert!(started.elapsed() >= Duration::from_millis(60));
    send_to(&world, 4).await;
    assert_eq!(world.pushes()[1].state, PushState::UnderWay);
    assert_eq!(receipts(&receiver).len(), 1);
}

#[tokio::test]
async fn a_receipt_can_be_pushed_three_times() {
    let receiver = Receiver::accepting().await;
    let world = plain_world(&receiver).await;
    world.main().quirk([3], Quirk::Receipt(Receipt::default().times(3)));
    let msgid = send_to(&world, 3).await["msgid"].as_i64().unwrap();
    world.settled().await;
    assert_eq!(receipts(&receiver), vec![(msgid, "success".to_owned()); 3]);
}

#[tokio::test]
async fn a_message_with_a_lost_response_is_sent_and_has_a_receipt() {
    let receiver = Receiver::accepting().await;
    let world = plain_world(&receiver).await;
    world.fail(Call::TemplateSend, 1, Fault::AnswerLost);
    let token = stable_token(&world, &world.main()).await;
    let path = format!("/cgi-bin/message/template/send?access_token={token}");
    let head = format!("POST {path} HTTP/1.1\r\nhost: x");
    let body = message(&world, 3).to_string();
    assert!(send(&world, &head, &body).await.is_err());
    assert_eq!(post(&world, &path, &message(&world, 3)).await["errcode"], 40241);
    world.settled().await;
    assert_eq!(receipts(&receiver), [(world.sent_messages()[0].msgid, "success".to_owned())]);
}

#[tokio::test]
async fn no_receipts_are_pushed_if_disabled_or_without_a_callback_url() {
    let receiver = Receiver::accepting().await;
    let world = plain_world(&receiver).await;
    world.push_receipts(false);
    assert_eq!(send_to(&world, 3).await["errcode"], 0);
    world.push_receipts(true);
    world.main().set_callback_url("").unwrap();
    world.fail(Call::TemplateSend, When::Always, Fault::Receipt(Receipt::default().early()));
    assert_eq!(send_to(&world, 4).await["errcode"], 0);
    assert_eq!(json!(world.pushes()), json!([]));
}
