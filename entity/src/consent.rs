//! What people said of a template: that they want it, or not.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "consent")]
pub struct Model {
    /// The account that sends it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i32,
    /// The person in that account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub openid: String,
    /// The template.
    #[sea_orm(primary_key, auto_increment = false)]
    pub template_id: String,
    /// `accept`, `reject`, `ban`, `filter`, or `refused` where WeChat refused a message with 43101.
    pub status: String,
    /// Since when.
    pub changed_at: i64,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
