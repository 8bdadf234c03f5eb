//! Every message that was accepted has come to an end, and the end is true.

use std::collections::{BTreeMap, HashMap};

use entity::message::{Entity, Model};
use sea_orm::EntityTrait;
use unionid_bridge::sandbox::{PushId, PushState};

use crate::soak::life::order_of;
use crate::soak::town::{RESIDENTS, Town};

/// What WeChat knows of an order.
#[derive(Debug, Default)]
struct Truth {
    /// Copies that reached it.
    copies: usize,
    /// What it told, and whether that was acknowledged; the latter is not known where it was given up.
    told: Option<(bool, bool)>,
}

impl Town {
    /// What is wrong, in words; receipts may still be on their way to their message.
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
                wrong.push(format!("{order} was accepted as {id}, which is not there"));
            }
        }
        let ordered = self.ledger.ordered.lock().unwrap();
        for (order, rows) in &orders {
            if rows.len() > 1 {
                wrong.push(format!("{order} is there {} times", rows.len()));
            }
            let (truth, is_resident) = (truths.get(order), ordered[order] < RESIDENTS);
            wrong.extend(judge(&rows[0], truth.unwrap_or(&Truth::default()), is_resident));
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
        for told in self.ledger.receipts.lock().unwrap().iter() {
            let is_acknowledged = states[&told.push] == PushState::Accepted;
            let truth = truths.entry(told.order.clone()).or_default();
            truth.told = Some((told.is_success, is_acknowledged));
        }
        truths
    }

    /// How many there are in each state.
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

fn judge(row: &Model, truth: &Truth, is_resident: bool) -> Option<String> {
    let why = match (row.state.as_str(), truth) {
        (_, Truth { copies: 2.., .. }) => "it was sent twice",
        ("delivered", Truth { told: Some((true, _)), .. }) => return None,
        ("delivered", _) => "nobody said that it arrived",
        ("failed", Truth { told: Some((false, _)), .. }) => return None,
        ("failed", Truth { copies: 1, .. }) => "WeChat has it",
        ("failed", _) if is_resident => "nothing keeps it from its person",
        ("failed", _) => return None,
        (_, Truth { told: Some((_, true)), .. }) => "its receipt was acknowledged",
        ("sent", Truth { copies: 1, .. }) => return None,
        ("unknown", _) => return None,
        _ => "it has not come to its end",
    };
    let Model { id, channel, state, reason, attempts, msgid, .. } = row;
    Some(format!(
        "{id} by {channel} is {state}: {why}; {truth:?}, number {msgid:?}, reason {reason:?}, {attempts:?}"
    ))
}
