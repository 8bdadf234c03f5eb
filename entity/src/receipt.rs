//! Receipts that arrived before WeChat's number of their message was known, or that belong to a message of
//! another system.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "receipt")]
pub struct Model {
    /// The account that sent the message.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i32,
    /// WeChat's number of the message.
    #[sea_orm(primary_key, auto_increment = false)]
    pub msgid: i64,
    /// The recipient.
    pub openid: String,
    /// WeChat's status: `success`, or why the message failed.
    pub status: String,
    /// When the receipt arrived, in ms.
    pub received_at: i64,
}

/// No relations: queries write their joins explicitly.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
