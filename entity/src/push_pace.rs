//! How fast an account sends, for all processes together.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "push_pace")]
pub struct Model {
    /// The account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i32,
    /// When the next message may leave.
    pub next_at: i64,
    /// Until when nothing leaves; 0 where nothing holds it up.
    pub held_until: i64,
    /// Why, in words.
    pub held_reason: Option<String>,
    /// When a message that went ahead last showed that nothing holds it up any more; 0 for never.
    pub passed_at: i64,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
