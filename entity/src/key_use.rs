//! The request rate of each API key with a limit at each process.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "key_use")]
pub struct Model {
    /// The process.
    #[sea_orm(primary_key, auto_increment = false)]
    pub holder: String,
    /// The public part of the key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: String,
    /// Requests per minute, including rejected ones.
    pub per_minute: i64,
    /// When the process reported this rate, in ms, in database time.
    pub told_at: i64,
}

/// No relations: queries write their joins explicitly.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
