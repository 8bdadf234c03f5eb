//! Followers whose profile is to be asked for again soon.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "profile_check")]
pub struct Model {
    /// The Official Account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i32,
    /// The person in that account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub openid: String,
    /// When; moved ahead by the process that takes it up.
    pub due_at: i64,
    /// How often it was asked for already.
    pub attempt: i32,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
