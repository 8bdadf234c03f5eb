//! No run is stuck, and no lease outlives its process.

use sea_orm::{EntityTrait, QueryOrder};
use std::collections::BTreeMap;

use crate::soak::cluster::Cluster;

impl Cluster {
    /// Runs after all replicas have stopped.
    pub(super) async fn check_runs(&self) {
        use entity::sync_run::{Column, Entity};
        let (reader, now) = (self.store.reader(), self.store.now().await.unwrap());
        let runs = Entity::find().order_by_asc(Column::Id).all(reader).await.unwrap();
        let (newest, older) = runs.split_last().unwrap();
        for run in older {
            let is_over = ["succeeded", "failed", "cancelled"].contains(&run.state.as_str());
            assert!(is_over, "an older run is not finished: {run:?}");
        }
        let will_resume = newest.state == "paused" && newest.resume_at.is_some_and(|at| at <= now);
        let is_well = newest.state == "succeeded" || will_resume;
        assert!(is_well, "the newest run will not resume: {newest:?}");
        for run in runs.iter().filter(|run| run.state == "succeeded") {
            let answered = run.known + run.fetched + run.quarantined + run.vanished;
            assert_eq!(run.listed, answered, "{run:?}");
        }
        for lease in entity::lease::Entity::find().all(reader).await.unwrap() {
            let is_free = !lease.name.starts_with("sync:") || lease.expires_at <= now;
            assert!(is_free, "{lease:?} outlives its process");
        }
        let reused = self.count_lines(&["already a transaction in progress"]);
        assert_eq!(reused, 0, "connections were returned to the pool inside a transaction");
        let mut states: BTreeMap<_, u64> = BTreeMap::new();
        runs.iter().for_each(|run| *states.entry(run.state.clone()).or_default() += 1);
        println!("soak: runs {states:?}, messages {:?}", self.count_messages().await);
    }
}
