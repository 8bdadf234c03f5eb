//! Receipts that came before their message was known to be sent, or for one sent by others.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "receipt")]
pub struct Model {
    /// The account that sent.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i32,
    /// WeChat's number of the message.
    #[sea_orm(primary_key, auto_increment = false)]
    pub msgid: i64,
    /// To whom.
    pub openid: String,
    /// WeChat's word: `success`, or why not.
    pub status: String,
    /// When it came.
    pub received_at: i64,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
