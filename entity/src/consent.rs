//! Users' consent to templates.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "consent")]
pub struct Model {
    /// The account that sends the template.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i32,
    /// The user's openid in that account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub openid: String,
    /// The template.
    #[sea_orm(primary_key, auto_increment = false)]
    pub template_id: String,
    /// `accept`, `reject`, `ban`, `filter`, or `refused` if WeChat rejected a message with errcode 43101.
    pub status: String,
    /// When the status changed, in ms.
    pub changed_at: i64,
}

/// No relations: queries write their joins explicitly.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
