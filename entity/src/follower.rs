//! Followers of Official Accounts, present and past.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "follower")]
pub struct Model {
    /// Dense, so that a set of followers is a small bitmap.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The Official Account.
    pub account_id: i32,
    /// The person in that account.
    pub openid: String,
    /// The person across accounts, once known; never blanked.
    pub unionid: Option<String>,
    /// Whether the person follows.
    pub subscribed: bool,
    /// Of the latest follow, as WeChat tells it.
    pub subscribed_at: Option<i64>,
    /// How the person came.
    pub subscribe_scene: Option<String>,
    /// The language of the person.
    pub language: Option<String>,
    /// The operator's note.
    pub remark: Option<String>,
    /// The operator's tags, a JSON array of numbers.
    pub tag_ids: Option<String>,
    /// The number in the QR code the person came by.
    pub qr_scene: Option<i64>,
    /// The text in that QR code.
    pub qr_scene_text: Option<String>,
    /// A digest of the seven columns above: equal means WeChat said nothing new.
    pub digest: i64,
    /// When WeChat said what stands here.
    pub profile_at: i64,
    /// When the newest event about this person came; a page listed before it does not overrule it.
    pub event_at: i64,
    /// When that event happened by WeChat's clock, in seconds since 1970; 0 where there was none.
    pub event_created_at: i64,
    /// When the person was found to have left; empty while following.
    pub unfollowed_at: Option<i64>,
    /// When a single look-up confirmed that WeChat gives no unionid for this person.
    pub unionid_absent_at: Option<i64>,
    /// When the row was first written.
    pub created_at: i64,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
