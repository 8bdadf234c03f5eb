//! Followers who join and leave, and the events and receipts that WeChat pushes.

use std::sync::Arc;
use std::time::Duration;

use unionid_bridge::sandbox::{Call, Event, SentMessage};

use super::cluster::{Cluster, INITIAL_FOLLOWERS, PERMANENT_FOLLOWERS};
use super::expectations::{Follow, Receipt};
use super::rng::SeededRng;

/// Makes people join and leave until callers are stopped. For a third of the changes, no event is pushed.
pub async fn drift(cluster: Arc<Cluster>, mut rng: SeededRng) {
    let (main, mut gone) = (cluster.main(), Vec::new());
    let mut newest = INITIAL_FOLLOWERS - 1;
    while cluster.sleep(rng.millis(50..=400)).await {
        let (person, follows) = match rng.within(0..=3) {
            0 if !gone.is_empty() => {
                let index = rng.within(0..=gone.len() as u64 - 1) as usize;
                (gone.swap_remove(index), true)
            }
            0 | 1 => {
                newest = main.join(1).start;
                (newest, true)
            }
            _ => (rng.within(PERMANENT_FOLLOWERS..=newest), false),
        };
        match follows {
            // A person who has just joined follows already.
            true => _ = main.rejoin([person]),
            false if main.leave([person]) == 1 => gone.push(person),
            false => continue,
        }
        if rng.percent(66) {
            push_event(&cluster, person, follows);
        }
    }
}

fn push_event(cluster: &Cluster, person: u64, follows: bool) {
    let created_at = cluster.now_seconds();
    let event = if follows { Event::subscribe(person) } else { Event::unsubscribe(person) };
    let push = cluster.main().push(event.at(created_at)).unwrap();
    cluster.ledger.follows.lock().unwrap().push(Follow { push, person, created_at });
}

/// Pushes receipts until messages are stopped: success for most messages, failure for some, and nothing for
/// the rest.
pub async fn push_receipts(cluster: Arc<Cluster>, mut rng: SeededRng) {
    let mut done = 0;
    loop {
        let is_last = cluster.stop_messages.is_cancelled();
        let sent = cluster.world.sent_messages();
        for message in &sent[done..] {
            if rng.percent(90) {
                let pause = rng.millis(0..=800);
                let is_success = rng.percent(85);
                cluster.spawn(push_receipt(cluster.clone(), message.clone(), is_success, pause));
            }
        }
        if is_last {
            return;
        }
        done = sent.len();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn push_receipt(
    cluster: Arc<Cluster>,
    message: SentMessage,
    is_success: bool,
    pause: Duration,
) {
    tokio::time::sleep(pause).await;
    let status = if is_success { "success" } else { "failed:user block" };
    let (person, msgid) = (message.person, message.msgid);
    let push = match message.call {
        Call::TemplateSend => cluster.main().push(Event::template_sent(person, msgid, status)),
        _ => {
            let (template, code) = (&message.template_id, i64::from(!is_success));
            let event = Event::subscribe_msg_sent(person, template, msgid, (code, status));
            cluster.program().push(event)
        }
    };
    let receipt = Receipt { push: push.unwrap(), order: order_of(&message), is_success };
    cluster.ledger.receipts.lock().unwrap().push(receipt);
}

/// Returns the order number in a message.
pub fn order_of(message: &SentMessage) -> String {
    let value = &message.body["data"]["character_string1"]["value"];
    value.as_str().unwrap().to_owned()
}
