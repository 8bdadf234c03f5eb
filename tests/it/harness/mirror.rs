//! Compares the mirrored followers with the sandbox.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use unionid_bridge::model::AppId;
use unionid_bridge::sandbox::Sandbox;
use unionid_bridge::store::{Store, accounts};

/// A mirrored follower: the unionid, and whether the user is subscribed.
pub type Mirrored = (Option<String>, bool);

/// Returns all mirrored followers of an account by openid.
pub async fn mirror(store: &Store, appid: &AppId) -> BTreeMap<String, Mirrored> {
    let account = accounts::find_or_insert(store, appid).await.unwrap();
    let rows = entity::follower::Entity::find()
        .filter(entity::follower::Column::AccountId.eq(account))
        .all(store.reader())
        .await
        .unwrap();
    rows.into_iter().map(|row| (row.openid, (row.unionid, row.subscribed))).collect()
}

/// Asserts that exactly the sandbox's followers are mirrored as subscribed, with the right unionids, and
/// that users who left keep their unionid (I1, I2, I3). Ignores the people in `exempt`.
pub async fn assert_mirrors(store: &Store, world: &Sandbox, appid: &AppId, exempt: &[u64]) {
    let truth = world.account(appid.as_str()).unwrap();
    let mut mirror = mirror(store, appid).await;
    for person in exempt {
        mirror.remove(&truth.person(*person).openid);
    }
    let mut following = 0;
    for person in truth.followers().filter(|person| !exempt.contains(&person.number)) {
        following += 1;
        let expected = Some((person.unionid, true));
        assert_eq!(mirror.remove(&person.openid), expected, "follower {}", person.number);
    }
    for (openid, (unionid, subscribed)) in mirror {
        assert!(!subscribed, "{openid} left but is mirrored as one of {following} followers");
        assert_eq!(unionid, truth.unionid_of(&openid), "unionid of {openid}, who left");
    }
}
