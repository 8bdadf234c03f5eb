//! Unionids that changed: what was known, what WeChat says now.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "unionid_conflict")]
pub struct Model {
    /// Rises with time.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The Official Account.
    pub account_id: i32,
    /// The person in that account.
    pub openid: String,
    /// What was known.
    pub old_unionid: String,
    /// What a single look-up confirmed.
    pub new_unionid: String,
    /// The run that noticed.
    pub run_id: i64,
    /// When.
    pub confirmed_at: i64,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
