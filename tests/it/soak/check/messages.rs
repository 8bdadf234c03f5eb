//! Every accepted message has a final state, and the state is correct.

use std::collections::{BTreeMap, HashMap};

use entity::message::{Entity, Model};
use sea_orm::EntityTrait;
use unionid_bridge::sandbox::{PushId, PushState};

use crate::soak::cluster::{Cluster, PERMANENT_FOLLOWERS};
use crate::soak::population::order_of;

/// What the sandbox knows about an order.
#[derive(Debug, Default)]
struct Truth {
    /// The number of copies that WeChat accepted.
    copies: usize,
    receipt: Option<Receipt>,
}

#[derive(Debug, Clone, Copy)]
struct Receipt {
    is_success: bool,
    /// Whether the service answered `success`. Unknown if WeChat abandoned the push.
    is_acknowledged: bool,
}

impl Cluster {
    /// Describes every wrong message. Early receipts may still wait for their message.
    pub(super) async fn wrong_messages(&self) -> Vec<String> {
        let truths = self.truths();
        let rows = Entity::find().all(self.store.reader()).await.unwrap();
        let mut orders: BTreeMap<String, Vec<Model>> = BTreeMap::new();
        for row in rows {
            orders.entry(order_in(&row)).or_default().push(row);
        }
        let mut wrong = Vec::new();
        for (order, id) in self.ledger.accepted.lock().unwrap().iter() {
            if orders.get(order).is_none_or(|rows| rows.iter().all(|row| row.id != *id)) {
                wrong.push(format!("{order} was accepted as {id}, which does not exist"));
            }
        }
        let ordered = self.ledger.ordered.lock().unwrap();
        for (order, rows) in &orders {
            if rows.len() > 1 {
                wrong.push(format!("{order} has {} messages", rows.len()));
            }
            let (truth, is_permanent) = (truths.get(order), ordered[order] < PERMANENT_FOLLOWERS);
            wrong.extend(error_of(&rows[0], truth.unwrap_or(&Truth::default()), is_permanent));
        }
        wrong
    }

    fn truths(&self) -> HashMap<String, Truth> {
        let mut truths: HashMap<String, Truth> = HashMap::new();
        for sent in self.world.sent_messages() {
            truths.entry(order_of(&sent)).or_default().copies += 1;
        }
        let pushes = self.world.pushes();
        let states: HashMap<PushId, PushState> =
            pushes.into_iter().map(|push| (push.id, push.state)).collect();
        for receipt in self.ledger.receipts.lock().unwrap().iter() {
            let is_acknowledged = states[&receipt.push] == PushState::Accepted;
            let truth = truths.entry(receipt.order.clone()).or_default();
            truth.receipt = Some(Receipt { is_success: receipt.is_success, is_acknowledged });
        }
        truths
    }

    /// Returns the number of messages in each state.
    pub(super) async fn count_messages(&self) -> BTreeMap<String, u64> {
        let rows = Entity::find().all(self.store.reader()).await.unwrap();
        let mut counts = BTreeMap::new();
        rows.into_iter().for_each(|row| *counts.entry(row.state).or_default() += 1);
        counts
    }
}

fn order_in(row: &Model) -> String {
    let content: serde_json::Value = serde_json::from_str(&row.content).unwrap();
    let value = &content["data"]["character_string1"];
    value["value"].as_str().or(value.as_str()).unwrap().to_owned()
}

/// Returns what is wrong with the state of a message, if anything.
fn error_of(row: &Model, truth: &Truth, is_permanent: bool) -> Option<String> {
    let why = match (row.state.as_str(), truth.copies, truth.receipt) {
        (_, 2.., _) => "it was sent twice",
        ("delivered", _, Some(Receipt { is_success: true, .. })) => return None,
        ("delivered", ..) => "there is no receipt of success",
        ("failed", _, Some(Receipt { is_success: false, .. })) => return None,
        ("failed", 1, _) => "WeChat accepted it",
        ("failed", ..) if is_permanent => "its recipient can be reached",
        ("failed", ..) => return None,
        (_, _, Some(Receipt { is_acknowledged: true, .. })) => "its receipt was acknowledged",
        ("sent", 1, _) => return None,
        ("unknown", ..) => return None,
        _ => "it is not finished",
    };
    let Model { id, channel, state, reason, attempts, msgid, .. } = row;
    Some(format!(
        "{id} ({channel}) is {state}: {why}; {truth:?}, msgid {msgid:?}, reason {reason:?}, {attempts:?}"
    ))
}
