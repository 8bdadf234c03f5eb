//! Mini Program users, erasures, callbacks, profile checks, API keys and the audit trail.

use sea_orm_migration::prelude::*;

use crate::columns::Columns;
use crate::tables::{Index, create_indexes, drop_tables, index, table, unique};

/// The schema of logins, callbacks and keys.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLES: [&str; 6] =
    ["mini_program_user", "erasure", "callback_seen", "profile_check", "api_key", "audit"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        let tables = [
            mini_program_user(&columns),
            erasure(&columns),
            callback_seen(&columns),
            profile_check(&columns),
            api_key(&columns),
            audit(&columns),
        ];
        for table in tables {
            manager.create_table(table).await?;
        }
        create_indexes(manager, indexes()).await?;
        if !manager.has_column("follower", "event_created_at").await? {
            let column = columns.number("event_created_at").not_null().default(0).take();
            manager.alter_table(Table::alter().table("follower").add_column(column).take()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &TABLES).await?;
        if manager.has_column("follower", "event_created_at").await? {
            let table = Table::alter().table("follower").drop_column("event_created_at").take();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}

fn mini_program_user(columns: &Columns) -> TableCreateStatement {
    table("mini_program_user")
        .col(columns.serial("id"))
        .col(ColumnDef::new("account_id").integer().not_null())
        .col(columns.identifier("openid").not_null())
        .col(columns.identifier("unionid"))
        .col(columns.text("session_key"))
        .col(columns.number("created_at").not_null())
        .col(columns.number("login_at").not_null())
        .take()
}

fn erasure(columns: &Columns) -> TableCreateStatement {
    table("erasure")
        .col(ColumnDef::new("account_id").integer().not_null())
        .col(columns.identifier("subject").not_null())
        .col(columns.identifier("person").not_null())
        .col(columns.number("erased_at").not_null())
        .primary_key(sea_query::Index::create().col("account_id").col("subject"))
        .take()
}

fn callback_seen(columns: &Columns) -> TableCreateStatement {
    table("callback_seen")
        .col(columns.identifier("event").not_null().primary_key())
        .col(columns.number("received_at").not_null())
        .take()
}

fn profile_check(columns: &Columns) -> TableCreateStatement {
    table("profile_check")
        .col(ColumnDef::new("account_id").integer().not_null())
        .col(columns.identifier("openid").not_null())
        .col(columns.number("due_at").not_null())
        .col(ColumnDef::new("attempt").integer().not_null().default(0))
        .primary_key(sea_query::Index::create().col("account_id").col("openid"))
        .take()
}

fn api_key(columns: &Columns) -> TableCreateStatement {
    table("api_key")
        .col(columns.identifier("id").not_null().primary_key())
        .col(columns.text("name").not_null())
        .col(columns.identifier("owner").not_null())
        .col(columns.identifier("secret_hash").not_null())
        .col(columns.text("scopes").not_null())
        .col(columns.text("appids"))
        .col(ColumnDef::new("requests_per_second").integer())
        .col(columns.number("created_at").not_null())
        .col(columns.number("expires_at"))
        .col(columns.number("revoked_at"))
        .col(columns.number("last_used_at"))
        .take()
}

fn audit(columns: &Columns) -> TableCreateStatement {
    table("audit")
        .col(columns.serial("id"))
        .col(columns.number("at").not_null())
        .col(columns.identifier("actor").not_null())
        .col(columns.identifier("action").not_null())
        .col(columns.text("subject"))
        .col(columns.text("request_id"))
        .take()
}

/// The indexes of these tables.
fn indexes() -> [Index; 6] {
    [
        unique("mini_program_user", "mini_program_user_account_openid", &["account_id", "openid"]),
        index("mini_program_user", "mini_program_user_unionid_account", &["unionid", "account_id"]),
        // For deleting all erasure records of a user who acts again.
        index("erasure", "erasure_person", &["person"]),
        index("callback_seen", "callback_seen_received", &["received_at"]),
        index("profile_check", "profile_check_account_due", &["account_id", "due_at"]),
        index("audit", "audit_at", &["at"]),
    ]
}
