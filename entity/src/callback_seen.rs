//! Callbacks that were handled, so that each is handled once.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "callback_seen")]
pub struct Model {
    /// A digest of what tells the event from every other.
    #[sea_orm(primary_key, auto_increment = false)]
    pub event: String,
    /// When it came first.
    pub received_at: i64,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
