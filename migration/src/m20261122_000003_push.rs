//! Messages, their receipts, holds on sending, and users' consent.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::columns::Columns;
use crate::tables::{Index, create_indexes, drop_tables, index, table, where_set};

/// The schema of messages.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLES: [&str; 6] =
    ["message", "message_request", "receipt", "push_pace", "template_stop", "consent"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        let tables = [
            message(&columns),
            message_request(&columns),
            receipt(&columns),
            push_pace(&columns),
            template_stop(&columns),
            consent(&columns),
        ];
        for table in tables {
            manager.create_table(table).await?;
        }
        create_indexes(manager, indexes()).await?;
        create_indexes(manager, indexes_of_states(columns.0)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &TABLES).await
    }
}

fn message(columns: &Columns) -> TableCreateStatement {
    let mut table = table("message");
    // Each message is updated about three times. If its page has free space, PostgreSQL need not update
    // every index each time.
    if columns.0 == DbBackend::Postgres {
        table.extra("WITH (fillfactor = 50)");
    }
    table
        .col(columns.identifier("id").not_null().primary_key())
        .col(ColumnDef::new("account_id").integer().not_null())
        .col(columns.identifier("channel").not_null())
        .col(columns.identifier("state").not_null())
        .col(columns.identifier("openid").not_null())
        .col(columns.identifier("unionid"))
        .col(columns.identifier("template_id").not_null())
        .col(columns.long_text("content").not_null())
        .col(columns.long_text("fallback"))
        .col(columns.number("msgid"))
        .col(columns.text("reason"))
        .col(ColumnDef::new("attempt").integer().not_null().default(0))
        .col(columns.long_text("attempts"))
        .col(columns.number("due_at"))
        .col(columns.number("sending_at"))
        .col(columns.number("first_sent_at"))
        .col(columns.number("accepted_at").not_null())
        .col(columns.number("sent_at"))
        .col(columns.number("finished_at"))
        .take()
}

fn message_request(columns: &Columns) -> TableCreateStatement {
    table("message_request")
        .col(columns.identifier("owner").not_null())
        .col(columns.identifier("name").not_null())
        .col(columns.identifier("body").not_null())
        .col(columns.long_text("answer").not_null())
        .col(columns.number("in_flight_until").not_null())
        .col(columns.number("requested_at").not_null())
        .primary_key(sea_query::Index::create().col("owner").col("name"))
        .take()
}

fn receipt(columns: &Columns) -> TableCreateStatement {
    table("receipt")
        .col(ColumnDef::new("account_id").integer().not_null())
        .col(columns.number("msgid").not_null())
        .col(columns.identifier("openid").not_null())
        .col(columns.text("status").not_null())
        .col(columns.number("received_at").not_null())
        .primary_key(sea_query::Index::create().col("account_id").col("msgid"))
        .take()
}

fn push_pace(columns: &Columns) -> TableCreateStatement {
    table("push_pace")
        .col(ColumnDef::new("account_id").integer().not_null().primary_key())
        .col(columns.number("next_at").not_null().default(0))
        .col(columns.number("held_until").not_null().default(0))
        .col(columns.text("held_reason"))
        .col(columns.number("passed_at").not_null().default(0))
        .take()
}

fn template_stop(columns: &Columns) -> TableCreateStatement {
    table("template_stop")
        .col(ColumnDef::new("account_id").integer().not_null())
        .col(columns.identifier("template_id").not_null())
        .col(columns.number("until_at").not_null())
        .col(columns.number("tested_until").not_null().default(0))
        .col(columns.number("errcode").not_null())
        .col(columns.text("reason").not_null())
        .primary_key(sea_query::Index::create().col("account_id").col("template_id"))
        .take()
}

fn consent(columns: &Columns) -> TableCreateStatement {
    table("consent")
        .col(ColumnDef::new("account_id").integer().not_null())
        .col(columns.identifier("openid").not_null())
        .col(columns.identifier("template_id").not_null())
        .col(columns.identifier("status").not_null())
        .col(columns.number("changed_at").not_null())
        .primary_key(sea_query::Index::create().col("account_id").col("openid").col("template_id"))
        .take()
}

/// The indexes of these tables.
fn indexes() -> [Index; 9] {
    [
        // Ids increase with time: for lists, and for the counts of a day.
        index("message", "message_account_id", &["account_id", "id"]),
        index("message", "message_account_template", &["account_id", "template_id", "id"]),
        index("message", "message_account_due", &["account_id", "due_at"]),
        index("message", "message_account_msgid", &["account_id", "msgid"]),
        // For erasures, and for receipts of messages whose msgid is not known.
        index("message", "message_account_openid", &["account_id", "openid"]),
        index("message", "message_unionid", &["unionid"]),
        index("message_request", "message_request_requested", &["requested_at"]),
        // For erasures.
        index("receipt", "receipt_account_openid", &["account_id", "openid"]),
        index("receipt", "receipt_received", &["received_at"]),
    ]
}

/// Indexes that find the waiting, failed and unknown messages among many delivered ones.
///
/// The state changes with each step of a message, so an index on it would slow down each step. PostgreSQL
/// and SQLite have partial indexes of the few relevant rows instead, on columns that do not change when a
/// message is delivered. So on PostgreSQL a receipt does not update any index.
fn indexes_of_states(backend: DbBackend) -> Vec<Index> {
    let of = |name, columns| index("message", name, columns);
    match backend {
        DbBackend::MySql => {
            vec![of("message_account_state", &["account_id", "state", "id"])]
        }
        _ => vec![
            where_set(of("message_waiting", &["account_id", "id"]), "due_at"),
            where_set(of("message_trouble", &["account_id", "id"]), "reason"),
        ],
    }
}
