//! Clients of the service: logins, lookups, messages, and an operator. They keep calling whatever happens,
//! and check every answer.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use unionid_bridge::sandbox::Permission;

use super::cluster::{Cluster, PERMANENT_FOLLOWERS};
use super::rng::SeededRng;

/// The number of orders that are retried at the same time.
const MAX_CONCURRENT_ORDERS: usize = 12;

/// The longest pause before an order is requested again.
const MAX_PAUSE: Duration = Duration::from_secs(4);

/// Logs people in, each time with a new code, until callers are stopped.
pub async fn log_in(cluster: Arc<Cluster>, mut rng: SeededRng) {
    let program = cluster.program();
    while cluster.sleep(rng.millis(20..=300)).await {
        let person = rng.within(0..=PERMANENT_FOLLOWERS + 200);
        let code = program.mint_code(person);
        cluster.ledger.keep_secret(code.clone());
        cluster.ledger.keep_secret(program.session_key(person));
        let body = json!({ "code": code });
        let answer = cluster.request("login", ("POST", "/v1/login"), (None, Some(body))).await;
        let Some((status, answer)) = answer else { continue };
        if status != 200 {
            assert!([429, 502, 503, 504].contains(&status), "login: {status} {answer}");
            continue;
        }
        let truth = program.person(person);
        assert_eq!(answer["openid"], truth.openid, "{answer}");
        assert_eq!(answer["unionid"], json!(truth.unionid), "{answer}");
        for account in answer["official_accounts"].as_array().unwrap() {
            assert_eq!(account["openid"], cluster.main().person(person).openid, "{answer}");
        }
    }
}

/// Looks people up until callers are stopped. Permanent followers must be found at all times.
pub async fn look_up(cluster: Arc<Cluster>, mut rng: SeededRng) {
    while cluster.sleep(rng.millis(10..=200)).await {
        let person = rng.within(0..=PERMANENT_FOLLOWERS + 300);
        let is_permanent = person < PERMANENT_FOLLOWERS;
        let truth = cluster.main().person(person);
        let path = format!("/v1/resolve-openid?unionid={}", truth.unionid.unwrap());
        let answer = cluster.request("resolve", ("GET", &path), (None, None)).await;
        let Some((status, answer)) = answer else { continue };
        match status {
            200 => {
                assert_eq!(answer["openid"], truth.openid, "{person}: {answer}");
                assert!(!is_permanent || answer["subscribed"] == true, "{person}: {answer}");
            }
            404 => assert!(!is_permanent, "{person}: {answer}"),
            _ => assert_eq!(status, 503, "{answer}"),
        }
    }
}

/// Sends one message to each person until callers are stopped. Each is retried until it is accepted, and
/// some are requested once more after that.
pub async fn send(cluster: Arc<Cluster>, mut rng: SeededRng) {
    let (mut addressed, permits) =
        (HashSet::new(), Arc::new(Semaphore::new(MAX_CONCURRENT_ORDERS)));
    for number in 0.. {
        let person = rng.within(0..=PERMANENT_FOLLOWERS + 200);
        if !cluster.sleep(rng.millis(50..=400)).await {
            return;
        }
        if !addressed.insert(person) {
            continue;
        }
        let order = format!("A-{number}");
        let is_subscribe = rng.percent(20);
        let body = if is_subscribe {
            subscribe_message(&cluster, person, &order)
        } else {
            template_message(&cluster, person, &order)
        };
        cluster.ledger.ordered.lock().unwrap().insert(order.clone(), person);
        let permit = permits.clone().acquire_owned().await.unwrap();
        let (retrying, once_more) = (cluster.clone(), rng.percent(30));
        cluster.spawn(async move {
            send_until_accepted(retrying, order, body, once_more).await;
            drop(permit);
        });
    }
}

fn template_message(cluster: &Cluster, person: u64, order: &str) -> Value {
    let data = json!({ "character_string1": order, "thing2": "雨伞", "time3": "2026-01-01 12:00" });
    let to = json!({ "unionid": cluster.main().person(person).unionid });
    json!({ "to": to, "template_id": cluster.main().template_ids()[0], "data": data })
}

fn subscribe_message(cluster: &Cluster, person: u64, order: &str) -> Value {
    let (program, template) = (cluster.program(), cluster.program().template_ids().remove(0));
    program.grant(person, &template, Permission::Always);
    let data = json!({
        "character_string1": order, "thing2": "雨伞", "amount3": "¥12.50", "time4": "2026-01-01 12:00",
    });
    let to = json!({ "appid": program.appid(), "openid": program.person(person).openid });
    json!({ "to": to, "subscribe": { "template_id": template, "data": data } })
}

async fn send_until_accepted(cluster: Arc<Cluster>, order: String, body: Value, once_more: bool) {
    let (mut remaining, mut pause) = (1 + u32::from(once_more), Duration::from_millis(250));
    while remaining > 0 {
        let route = ("POST", "/v1/messages");
        let answer = cluster.request("message", route, (Some(&order), Some(body.clone()))).await;
        match answer {
            Some((202, answer)) => {
                let id = answer["id"].as_str().unwrap().to_owned();
                let mut accepted = cluster.ledger.accepted.lock().unwrap();
                let before = accepted.insert(order.clone(), id.clone());
                assert!(before.is_none_or(|before| before == id), "{order} was accepted twice");
                remaining -= 1;
            }
            // The person cannot be reached: no message is stored.
            Some((status @ (403 | 404), answer)) => {
                assert!(!cluster.ledger.accepted.lock().unwrap().contains_key(&order), "{answer}");
                let is_permanent =
                    cluster.ledger.ordered.lock().unwrap()[&order] < PERMANENT_FOLLOWERS;
                let is_subscribe = body["subscribe"].is_object();
                assert!(!is_permanent || is_subscribe, "{status}: {answer}");
                return;
            }
            Some((status, answer)) => {
                let is_temporary = [409, 502, 503, 504].contains(&status);
                assert!(is_temporary, "{order}: {status} {answer}");
            }
            None => {}
        }
        // Exponential backoff, as a well-behaved client uses.
        pause = MAX_PAUSE.min(pause * 2);
        if !cluster.sleep(pause).await {
            return;
        }
    }
}

/// Requests syncs repeatedly, which resumes paused runs.
pub async fn operate(cluster: Arc<Cluster>) {
    while cluster.sleep(Duration::from_millis(1_500)).await {
        let route = ("POST", "/v1/sync-runs");
        let answer = cluster.request("sync", route, (None, Some(json!({})))).await;
        if let Some((status, answer)) = answer {
            assert!([202, 409, 503].contains(&status), "sync: {status} {answer}");
        }
    }
}
