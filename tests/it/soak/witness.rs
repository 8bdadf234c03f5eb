//! Who looks at the mirror all the time: what must never be, not even for a moment.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::town::{FOLLOWERS, RESIDENTS, Town};
use crate::harness::mirror;

/// Until dusk: nobody who never left is marked so (I2), and no unionid is wrong or blanked (I3).
pub async fn watch(town: Arc<Town>) {
    let main = town.main();
    let appid = main.appid().parse().unwrap();
    let truth = |person| (main.person(person).openid, main.person(person).unionid);
    let mut truths: HashMap<_, _> = (0..FOLLOWERS + 2_000).map(truth).collect();
    let residents = (0..RESIDENTS).map(|person| main.person(person).openid);
    let residents: HashSet<_> = residents.collect();
    let mut known = HashSet::new();
    while town.rests(Duration::from_secs(1)).await {
        for (openid, (unionid, subscribed)) in mirror(&town.store, &appid).await {
            let number = || main.find(&openid).map(|person| person.number);
            let is_resident = residents.contains(&openid);
            assert!(subscribed || !is_resident, "{:?} has never left", number());
            let truth = truths.entry(openid.clone()).or_insert_with(|| main.unionid_of(&openid));
            match unionid {
                Some(_) => {
                    assert_eq!(unionid, *truth, "{:?} has another's unionid", number());
                    known.insert(openid);
                }
                None => assert!(!known.contains(&openid), "{:?} lost the unionid", number()),
            }
        }
    }
}
