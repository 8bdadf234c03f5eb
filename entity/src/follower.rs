//! Present and past followers of Official Accounts.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "follower")]
pub struct Model {
    /// Assigned by the database without large gaps, so that a set of followers is a small bitmap.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The Official Account.
    pub account_id: i32,
    /// The user's openid in that account.
    pub openid: String,
    /// The user's unionid, if known.
    pub unionid: Option<String>,
    /// Whether the user follows the account.
    pub subscribed: bool,
    /// When the user last followed, as WeChat returned it, in seconds since 1970.
    pub subscribed_at: Option<i64>,
    /// How the user found the account.
    pub subscribe_scene: Option<String>,
    /// The user's language.
    pub language: Option<String>,
    /// The operator's remark about the user.
    pub remark: Option<String>,
    /// The operator's tags, a JSON array of numbers.
    pub tag_ids: Option<String>,
    /// The number in the QR code that the user scanned to follow.
    pub qr_scene: Option<i64>,
    /// The text in that QR code.
    pub qr_scene_text: Option<String>,
    /// A digest of the seven columns above. An equal digest means that WeChat returned nothing new.
    pub digest: i64,
    /// When WeChat returned this profile, in ms.
    pub profile_at: i64,
    /// When the newest event of this user arrived, in ms. A page listed before then does not overwrite it.
    pub event_at: i64,
    /// The time of that event by WeChat's clock, in seconds since 1970; 0 if there was none.
    pub event_created_at: i64,
    /// When the user was found to have unfollowed, in ms; null for current followers.
    pub unfollowed_at: Option<i64>,
    /// When a single lookup confirmed that WeChat returns no unionid for this user, in ms.
    pub unionid_absent_at: Option<i64>,
    /// When the row was first written, in ms.
    pub created_at: i64,
}

/// No relations: queries write their joins explicitly.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
