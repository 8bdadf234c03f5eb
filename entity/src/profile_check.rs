//! Followers whose profiles are to be fetched again soon.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "profile_check")]
pub struct Model {
    /// The Official Account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i32,
    /// The user's openid in that account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub openid: String,
    /// When the check is due, in ms. A process that claims the check moves this to the end of the claim.
    pub due_at: i64,
    /// The number of earlier attempts.
    pub attempt: i32,
}

/// No relations: queries write their joins explicitly.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
