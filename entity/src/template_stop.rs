//! Templates that WeChat does not send.

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
    /// When it is tried again.
    pub until_at: i64,
    /// Until when one message of it has gone ahead to see whether it is sent again.
    pub tested_until: i64,
    /// What WeChat said.
    pub errcode: i64,
    /// The same in words.
    pub reason: String,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
