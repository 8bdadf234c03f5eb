//! Who may do a thing that only one process may do at a time.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "lease")]
pub struct Model {
    /// The thing, such as `sync:wx…`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// The process that holds it; empty when it was given up.
    pub holder: String,
    /// Rises with every change of holder.
    pub fence: i64,
    /// On the database's clock.
    pub expires_at: i64,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
