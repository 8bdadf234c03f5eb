//! The one access token of each account, sealed.

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
    /// When WeChat gave it, on the database's clock.
    pub obtained_at: i64,
    /// When it expires, on the database's clock.
    pub expires_at: i64,
    /// The fencing number of the lease it was fetched under.
    pub fence: i64,
    /// Refreshes made since `refused_since_at` because WeChat refused the token.
    pub refusals: i32,
    /// When the first of those was made.
    pub refused_since_at: i64,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
