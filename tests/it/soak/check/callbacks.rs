//! Whatever was answered `success` has had its effect.

use std::collections::HashMap;

use sea_orm::EntityTrait;
use unionid_bridge::sandbox::PushState;

use crate::soak::town::Town;

impl Town {
    /// The follower carries the mark of the event, or of a newer one.
    pub(super) async fn check_callbacks(&self) {
        let rows = entity::follower::Entity::find().all(self.store.reader()).await.unwrap();
        let marks: HashMap<_, _> =
            rows.into_iter().map(|row| (row.openid, row.event_created_at)).collect();
        let states: HashMap<_, _> =
            self.world.pushes().into_iter().map(|push| (push.id, push.state)).collect();
        let follows = self.ledger.follows.lock().unwrap().clone();
        let (mut taken, mut given_up) = (0, 0);
        for follow in follows {
            if states[&follow.push] != PushState::Accepted {
                given_up += 1;
                continue;
            }
            taken += 1;
            let mark = marks.get(&self.main().person(follow.person).openid);
            let is_there = mark.is_some_and(|mark| *mark >= follow.created_at);
            assert!(is_there, "{follow:?} was acknowledged, and the mark is {mark:?}");
        }
        println!(
            "soak: {taken} events acknowledged, each in effect; {given_up} given up by WeChat"
        );
    }
}
