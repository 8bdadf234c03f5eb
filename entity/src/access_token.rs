//! The access token of each account, sealed.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "access_token")]
pub struct Model {
    /// The account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub appid: String,
    /// The token, encrypted; see `seal`.
    pub sealed: String,
    /// When WeChat issued the token, in ms, in database time.
    pub obtained_at: i64,
    /// When the token expires, in ms, in database time.
    pub expires_at: i64,
    /// The fencing number of the lease under which the token was fetched.
    pub fence: i64,
    /// The number of refreshes since `refused_since_at` because WeChat rejected the token.
    pub refusals: i32,
    /// The time of the first of those refreshes, in ms.
    pub refused_since_at: i64,
}

/// No relations: queries write their joins explicitly.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
