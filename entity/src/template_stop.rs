//! Stopped templates, whose messages WeChat currently rejects.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "template_stop")]
pub struct Model {
    /// The account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i32,
    /// The template.
    #[sea_orm(primary_key, auto_increment = false)]
    pub template_id: String,
    /// When a test message may be sent, in ms.
    pub until_at: i64,
    /// Until when the outcome of the test message is awaited, in ms; 0 if there is none.
    pub tested_until: i64,
    /// WeChat's error code.
    pub errcode: i64,
    /// WeChat's error message.
    pub reason: String,
}

/// No relations: queries write their joins explicitly.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
