//! Handled callbacks, so that each is handled only once.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "callback_seen")]
pub struct Model {
    /// A digest that identifies the event.
    #[sea_orm(primary_key, auto_increment = false)]
    pub event: String,
    /// When the event first arrived, in ms.
    pub received_at: i64,
}

/// No relations: queries write their joins explicitly.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
