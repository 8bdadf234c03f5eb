//! How much is asked of each process with an API key that has a limit.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "key_use")]
pub struct Model {
    /// The process.
    #[sea_orm(primary_key, auto_increment = false)]
    pub holder: String,
    /// The key's public part.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: String,
    /// Requests a minute, let through or not.
    pub per_minute: i64,
    /// When the process said so, on the database's clock.
    pub told_at: i64,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
