//! Invariants of the mirror that must hold at every moment.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::cluster::{Cluster, INITIAL_FOLLOWERS, PERMANENT_FOLLOWERS};
use crate::harness::mirror;

/// Checks every second until callers are stopped: no permanent follower is marked as left (I2), and no
/// unionid is wrong or lost (I3).
pub async fn watch(cluster: Arc<Cluster>) {
    let main = cluster.main();
    let appid = main.appid().parse().unwrap();
    let truth = |person| (main.person(person).openid, main.person(person).unionid);
    let mut truths: HashMap<_, _> = (0..INITIAL_FOLLOWERS + 2_000).map(truth).collect();
    let permanent = (0..PERMANENT_FOLLOWERS).map(|person| main.person(person).openid);
    let permanent: HashSet<_> = permanent.collect();
    let mut known = HashSet::new();
    while cluster.sleep(Duration::from_secs(1)).await {
        for (openid, (unionid, subscribed)) in mirror(&cluster.store, &appid).await {
            let number = || main.find(&openid).map(|person| person.number);
            let is_permanent = permanent.contains(&openid);
            assert!(
                subscribed || !is_permanent,
                "{:?} is marked as left, but never left",
                number()
            );
            let truth = truths.entry(openid.clone()).or_insert_with(|| main.unionid_of(&openid));
            match unionid {
                Some(_) => {
                    assert_eq!(unionid, *truth, "{:?} has a wrong unionid", number());
                    known.insert(openid);
                }
                None => assert!(!known.contains(&openid), "{:?} lost the unionid", number()),
            }
        }
    }
}
