//! Who calls the service: logins, look-ups, messages, and an operator. They go on whatever they are
//! told, and check what they are told.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use unionid_bridge::sandbox::Permission;

use super::dice::Dice;
use super::town::{RESIDENTS, Town};

/// Orders that somebody insists on at the same time.
const ORDERS_AT_ONCE: usize = 12;

/// The longest pause before an order is asked for again.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// Logs people in until dusk, each time with a new code.
pub async fn log_in(town: Arc<Town>, mut dice: Dice) {
    let program = town.program();
    while town.rests(dice.millis(20..=300)).await {
        let person = dice.within(0..=RESIDENTS + 200);
        let code = program.mint_code(person);
        town.ledger.keep_secret(code.clone());
        town.ledger.keep_secret(program.session_key(person));
        let body = json!({ "code": code });
        let answer = town.ask("login", ("POST", "/v1/login"), (None, Some(body))).await;
        let Some((status, answer)) = answer else { continue };
        if status != 200 {
            assert!([429, 502, 503, 504].contains(&status), "login: {status} {answer}");
            continue;
        }
        let truth = program.person(person);
        assert_eq!(answer["openid"], truth.openid, "{answer}");
        assert_eq!(answer["unionid"], json!(truth.unionid), "{answer}");
        for account in answer["official_accounts"].as_array().unwrap() {
            assert_eq!(account["openid"], town.main().person(person).openid, "{answer}");
        }
    }
}

/// Looks people up until dusk. Who never leaves is a follower at all times.
pub async fn look_up(town: Arc<Town>, mut dice: Dice) {
    while town.rests(dice.millis(10..=200)).await {
        let person = dice.within(0..=RESIDENTS + 300);
        let truth = town.main().person(person);
        let path = format!("/v1/resolve-openid?unionid={}", truth.unionid.unwrap());
        let answer = town.ask("resolve", ("GET", &path), (None, None)).await;
        let Some((status, answer)) = answer else { continue };
        match status {
            200 => {
                assert_eq!(answer["openid"], truth.openid, "{person}: {answer}");
                assert!(person >= RESIDENTS || answer["subscribed"] == true, "{person}: {answer}");
            }
            404 => assert!(person >= RESIDENTS, "{person}: {answer}"),
            _ => assert_eq!(status, 503, "{answer}"),
        }
    }
}

/// Sends messages until dusk, one to a person. Each is asked for again until it is accepted, and some
/// once more after that.
pub async fn send(town: Arc<Town>, mut dice: Dice) {
    let (mut addressed, places) = (HashSet::new(), Arc::new(Semaphore::new(ORDERS_AT_ONCE)));
    for number in 0.. {
        let person = dice.within(0..=RESIDENTS + 200);
        if !town.rests(dice.millis(50..=400)).await {
            return;
        }
        if !addressed.insert(person) {
            continue;
        }
        let order = format!("A-{number}");
        let is_subscribe = dice.percent(20);
        let body = if is_subscribe {
            subscribe(&town, person, &order)
        } else {
            template(&town, person, &order)
        };
        town.ledger.ordered.lock().unwrap().insert(order.clone(), person);
        let place = places.clone().acquire_owned().await.unwrap();
        let (insisting, once_more) = (town.clone(), dice.percent(30));
        town.send_out(async move {
            insist(insisting, order, body, once_more).await;
            drop(place);
        });
    }
}

fn template(town: &Town, person: u64, order: &str) -> Value {
    let data = json!({ "character_string1": order, "thing2": "雨伞", "time3": "2026-01-01 12:00" });
    let to = json!({ "unionid": town.main().person(person).unionid });
    json!({ "to": to, "template_id": town.main().template_ids()[0], "data": data })
}

fn subscribe(town: &Town, person: u64, order: &str) -> Value {
    let (program, template) = (town.program(), town.program().template_ids().remove(0));
    program.grant(person, &template, Permission::Always);
    let data = json!({
        "character_string1": order, "thing2": "雨伞", "amount3": "¥12.50", "time4": "2026-01-01 12:00",
    });
    let to = json!({ "appid": program.appid(), "openid": program.person(person).openid });
    json!({ "to": to, "subscribe": { "template_id": template, "data": data } })
}

async fn insist(town: Arc<Town>, order: String, body: Value, once_more: bool) {
    let (mut wanted, mut pause) = (1 + u32::from(once_more), Duration::from_millis(250));
    while wanted > 0 {
        let asked = ("POST", "/v1/messages");
        let answer = town.ask("message", asked, (Some(&order), Some(body.clone()))).await;
        match answer {
            Some((202, answer)) => {
                let id = answer["id"].as_str().unwrap().to_owned();
                let mut accepted = town.ledger.accepted.lock().unwrap();
                let before = accepted.insert(order.clone(), id.clone());
                assert!(before.is_none_or(|before| before == id), "{order} was accepted twice");
                wanted -= 1;
            }
            // The person cannot be reached: nothing is kept.
            Some((status @ (403 | 404), answer)) => {
                assert!(!town.ledger.accepted.lock().unwrap().contains_key(&order), "{answer}");
                let is_known = town.ledger.ordered.lock().unwrap()[&order] < RESIDENTS;
                let is_subscribe = body["subscribe"].is_object();
                assert!(!is_known || is_subscribe, "{status}: {answer}");
                return;
            }
            Some((status, answer)) => {
                let passing = [409, 502, 503, 504].contains(&status);
                assert!(passing, "{order}: {status} {answer}");
            }
            None => {}
        }
        // Longer each time, as who means well does.
        pause = LONGEST_PAUSE.min(pause * 2);
        if !town.rests(pause).await {
            return;
        }
    }
}

/// Lets whatever is paused go on, again and again.
pub async fn operate(town: Arc<Town>) {
    while town.rests(Duration::from_millis(1_500)).await {
        let asked = ("POST", "/v1/sync-runs");
        let answer = town.ask("sync", asked, (None, Some(json!({})))).await;
        if let Some((status, answer)) = answer {
            assert!([202, 409, 503].contains(&status), "sync: {status} {answer}");
        }
    }
}
