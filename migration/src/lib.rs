//! The database schema as migrations, which give the same result on SQLite, PostgreSQL, MariaDB and MySQL.
//!
//! Migrations use table names and never the entities, because the entities change and a released migration
//! must not. Every step is repeatable: MariaDB and MySQL commit each statement, so if a process is killed
//! during a migration, the next attempt must skip the steps that are already done.

mod columns;
mod m20261121_000001_follower_sync;
mod m20261122_000002_identities;
mod m20261122_000003_push;
mod m20261122_000004_key_use;
mod tables;

use sea_orm_migration::{MigrationTrait, async_trait};
pub use sea_orm_migration::{MigratorTrait, MigratorTraitSelf};

/// Every migration, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_follower_sync::Migration),
            Box::new(m20261122_000002_identities::Migration),
            Box::new(m20261122_000003_push::Migration),
            Box::new(m20261122_000004_key_use::Migration),
        ]
    }
}
