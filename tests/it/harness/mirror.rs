//! What the database says of the followers, and the truth to compare it with.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use unionid_bridge::model::AppId;
use unionid_bridge::sandbox::Sandbox;
use unionid_bridge::store::{Store, accounts};

/// A mirrored follower as tests compare it: unionid, and whether it follows.
pub type Mirrored = (Option<String>, bool);

/// Everybody the database knows of, by openid.
pub async fn mirror(store: &Store, appid: &AppId) -> BTreeMap<String, Mirrored> {
    let account = accounts::find_or_insert(store, appid).await.unwrap();
    let rows = entity::follower::Entity::find()
        .filter(entity::follower::Column::AccountId.eq(account))
        .all(store.reader())
        .await
        .unwrap();
    rows.into_iter().map(|row| (row.openid, (row.unionid, row.subscribed))).collect()
}

/// I1, I2, I3: exactly those who follow are mirrored as followers, each with the true unionid.
pub async fn assert_mirrors(store: &Store, world: &Sandbox, appid: &AppId) {
    let mirror = mirror(store, appid).await;
    let truth = world.account(appid.as_str()).unwrap();
    let following: BTreeMap<String, Mirrored> =
        truth.followers().map(|person| (person.openid, (person.unionid, true))).collect();
    let mirrored: BTreeMap<_, _> =
        mirror.iter().filter(|(_, (_, subscribed))| *subscribed).collect();
    for (openid, person) in &following {
        assert_eq!(mirrored.get(openid), Some(&person), "follower {openid}");
    }
    assert_eq!(mirrored.len(), following.len(), "somebody is mirrored who does not follow");
    // Who left is remembered, with the unionid they had.
    for (openid, (unionid, _)) in mirror.iter().filter(|(_, (_, subscribed))| !subscribed) {
        assert_eq!(*unionid, truth.unionid_of(openid), "{openid}, who left");
    }
}
