//! Changed unionids: the one that was known, and the one that WeChat now returns.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "unionid_conflict")]
pub struct Model {
    /// Assigned by the database, in increasing order.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The Official Account or Mini Program.
    pub account_id: i32,
    /// The user's openid in that account.
    pub openid: String,
    /// The unionid that was known.
    pub old_unionid: String,
    /// The unionid that a single lookup confirmed.
    pub new_unionid: String,
    /// The run that found the change; 0 for a login or a callback.
    pub run_id: i64,
    /// When the change was confirmed, in ms.
    pub confirmed_at: i64,
}

/// No relations: queries write their joins explicitly.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
