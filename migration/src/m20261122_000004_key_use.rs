//! The request rate of each API key, so that processes share its limit.

use sea_orm_migration::prelude::*;

use crate::columns::Columns;
use crate::tables::{drop_tables, table};

/// The schema of shared rate limits.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        manager.create_table(key_use(&columns)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["key_use"]).await
    }
}

fn key_use(columns: &Columns) -> TableCreateStatement {
    table("key_use")
        .col(columns.identifier("holder").not_null())
        .col(columns.identifier("key_id").not_null())
        .col(columns.number("per_minute").not_null())
        .col(columns.number("told_at").not_null())
        .primary_key(sea_query::Index::create().col("holder").col("key_id"))
        .take()
}
