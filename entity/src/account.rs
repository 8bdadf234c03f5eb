//! Official Accounts and Mini Programs, so that rows refer to one by a small number.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    /// The small number.
    #[sea_orm(primary_key)]
    pub id: i32,
    /// The AppID.
    #[sea_orm(unique)]
    pub appid: String,
    /// When the latest complete crawl of the followers began.
    pub crawled_at: Option<i64>,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
