//! People who come and go, and what WeChat tells of them and of their messages.

use std::sync::Arc;
use std::time::Duration;

use unionid_bridge::sandbox::{Call, Event, SentMessage};

use super::dice::Dice;
use super::ledger::{Follow, Told};
use super::town::{FOLLOWERS, RESIDENTS, Town};

/// Has people come and go until dusk. Of a third of it WeChat tells nothing.
pub async fn drift(town: Arc<Town>, mut dice: Dice) {
    let (main, mut gone) = (town.main(), Vec::new());
    let mut newest = FOLLOWERS - 1;
    while town.rests(dice.millis(50..=400)).await {
        let (person, follows) = match dice.within(0..=3) {
            0 if !gone.is_empty() => {
                let place = dice.within(0..=gone.len() as u64 - 1) as usize;
                (gone.swap_remove(place), true)
            }
            0 | 1 => {
                newest = main.join(1).start;
                (newest, true)
            }
            _ => (dice.within(RESIDENTS..=newest), false),
        };
        match follows {
            // Who has just joined follows already.
            true => _ = main.rejoin([person]),
            false if main.leave([person]) == 1 => gone.push(person),
            false => continue,
        }
        if dice.percent(66) {
            tell(&town, person, follows);
        }
    }
}

fn tell(town: &Town, person: u64, follows: bool) {
    let created_at = town.now();
    let event = if follows { Event::subscribe(person) } else { Event::unsubscribe(person) };
    let push = town.main().push(event.at(created_at)).unwrap();
    town.ledger.follows.lock().unwrap().push(Follow { push, person, created_at });
}

/// Tells of each message that was sent what became of it: most arrived, some did not, and of some
/// nothing is ever heard.
pub async fn receipts(town: Arc<Town>, mut dice: Dice) {
    let mut told = 0;
    loop {
        let is_last = town.night.is_cancelled();
        let sent = town.world.sent_messages();
        for message in &sent[told..] {
            if dice.percent(90) {
                let pause = dice.millis(0..=800);
                let is_success = dice.percent(85);
                town.send_out(report(town.clone(), message.clone(), is_success, pause));
            }
        }
        if is_last {
            return;
        }
        told = sent.len();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn report(town: Arc<Town>, message: SentMessage, is_success: bool, pause: Duration) {
    tokio::time::sleep(pause).await;
    let status = if is_success { "success" } else { "failed:user block" };
    let (person, msgid) = (message.person, message.msgid);
    let push = match message.call {
        Call::TemplateSend => town.main().push(Event::template_sent(person, msgid, status)),
        _ => {
            let (template, code) = (&message.template_id, i64::from(!is_success));
            let event = Event::subscribe_msg_sent(person, template, msgid, (code, status));
            town.program().push(event)
        }
    };
    let told = Told { push: push.unwrap(), order: order_of(&message), is_success };
    town.ledger.receipts.lock().unwrap().push(told);
}

/// The order that a message tells of.
pub fn order_of(message: &SentMessage) -> String {
    let value = &message.body["data"]["character_string1"]["value"];
    value.as_str().unwrap().to_owned()
}
