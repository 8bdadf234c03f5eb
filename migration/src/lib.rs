//! The schema, as migrations that run alike on SQLite, PostgreSQL and MariaDB/MySQL.
//!
//! Written against table names and never against the entities, which change while a migration that
//! has run somewhere must not. Every step may be repeated: MariaDB/MySQL commit each statement, so
//! a process killed half-way leaves a part behind that the next attempt must pass over.

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
