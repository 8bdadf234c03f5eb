//! Every acknowledged event has taken effect.

use std::collections::HashMap;

use sea_orm::EntityTrait;
use unionid_bridge::sandbox::PushState;

use crate::soak::cluster::Cluster;

impl Cluster {
    /// Asserts that each follower row has the time of its latest acknowledged event, or a later time.
    pub(super) async fn check_callbacks(&self) {
        let rows = entity::follower::Entity::find().all(self.store.reader()).await.unwrap();
        let event_times: HashMap<_, _> =
            rows.into_iter().map(|row| (row.openid, row.event_created_at)).collect();
        let states: HashMap<_, _> =
            self.world.pushes().into_iter().map(|push| (push.id, push.state)).collect();
        let follows = self.ledger.follows.lock().unwrap().clone();
        let (mut acknowledged, mut abandoned) = (0, 0);
        for follow in follows {
            if states[&follow.push] != PushState::Accepted {
                abandoned += 1;
                continue;
            }
            acknowledged += 1;
            let time = event_times.get(&self.main().person(follow.person).openid);
            let is_applied = time.is_some_and(|time| *time >= follow.created_at);
            assert!(is_applied, "{follow:?} was acknowledged, but the last event is from {time:?}");
        }
        println!(
            "soak: {acknowledged} events acknowledged and applied, {abandoned} abandoned by WeChat"
        );
    }
}
