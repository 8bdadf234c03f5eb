//! The sending pace of each account, shared by all processes.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "push_pace")]
pub struct Model {
    /// The account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i32,
    /// When the next message may be sent, in ms.
    pub next_at: i64,
    /// Until when sending is on hold, in ms; 0 if it is not.
    pub held_until: i64,
    /// Why sending is on hold.
    pub held_reason: Option<String>,
    /// When a test message last showed that a hold is over, in ms; 0 for never.
    pub passed_at: i64,
}

/// No relations: queries write their joins explicitly.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
