//! Official Accounts and Mini Programs. Other tables refer to them by their numbers.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    /// The number of the account.
    #[sea_orm(primary_key)]
    pub id: i32,
    /// The AppID.
    #[sea_orm(unique)]
    pub appid: String,
    /// When the latest complete crawl of the followers began, in ms.
    pub crawled_at: Option<i64>,
}

/// No relations: queries write their joins explicitly.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
