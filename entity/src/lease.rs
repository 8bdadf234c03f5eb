//! Leases: each grants one process an exclusive task for some time.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "lease")]
pub struct Model {
    /// The task, such as `sync:wx…`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// The process that holds the lease; empty after a release.
    pub holder: String,
    /// The fencing number, which increases each time the lease is acquired.
    pub fence: i64,
    /// When the lease expires, in ms, in database time.
    pub expires_at: i64,
}

/// No relations: queries write their joins explicitly.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
