//! Accounts, followers, sync runs, leases and access tokens.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::columns::Columns;
use crate::tables::{Index, covering, create_indexes, drop_tables, index, table, unique};

/// The first schema.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLES: [&str; 8] = [
    "account",
    "follower",
    "sync_run",
    "sync_page",
    "quarantine",
    "unionid_conflict",
    "lease",
    "access_token",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns(manager.get_database_backend());
        let tables = [
            account(&columns),
            follower(&columns),
            sync_run(&columns),
            sync_page(&columns),
            quarantine(&columns),
            unionid_conflict(&columns),
            lease(&columns),
            access_token(&columns),
        ];
        for table in tables {
            manager.create_table(table).await?;
        }
        create_indexes(manager, indexes(manager.get_database_backend())).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &TABLES).await
    }
}

fn account(columns: &Columns) -> TableCreateStatement {
    table("account")
        .col(ColumnDef::new("id").integer().not_null().auto_increment().primary_key())
        .col(columns.identifier("appid").not_null().unique_key())
        .col(columns.number("crawled_at"))
        .take()
}

fn follower(columns: &Columns) -> TableCreateStatement {
    table("follower")
        .col(columns.serial("id"))
        .col(ColumnDef::new("account_id").integer().not_null())
        .col(columns.identifier("openid").not_null())
        .col(columns.identifier("unionid"))
        .col(ColumnDef::new("subscribed").boolean().not_null())
        .col(columns.number("subscribed_at"))
        .col(columns.text("subscribe_scene"))
        .col(columns.text("language"))
        .col(columns.text("remark"))
        .col(columns.text("tag_ids"))
        .col(columns.number("qr_scene"))
        .col(columns.text("qr_scene_text"))
        .col(columns.number("digest").not_null())
        .col(columns.number("profile_at").not_null())
        .col(columns.number("event_at").not_null().default(0))
        .col(columns.number("unfollowed_at"))
        .col(columns.number("unionid_absent_at"))
        .col(columns.number("created_at").not_null())
        .take()
}

fn sync_run(columns: &Columns) -> TableCreateStatement {
    let mut table = table("sync_run");
    table
        .col(columns.serial("id"))
        .col(ColumnDef::new("account_id").integer().not_null())
        .col(columns.identifier("state").not_null())
        .col(columns.identifier("started_by").not_null())
        .col(columns.identifier("mode").not_null())
        .col(columns.number("scheduled_at"))
        .col(columns.number("started_at").not_null())
        .col(columns.number("finished_at"))
        .col(columns.number("resume_at"))
        .col(columns.number("fence").not_null())
        .col(columns.identifier("next_openid").not_null())
        .col(ColumnDef::new("listed_all").boolean().not_null());
    const COUNTS: [&str; 13] = [
        "total_first",
        "total_last",
        "pages",
        "listed",
        "known",
        "fetched",
        "quarantined",
        "vanished",
        "upserted",
        "unfollowed",
        "missing_unionid",
        "conflicts",
        "worked_ms",
    ];
    for name in COUNTS {
        table.col(columns.number(name).not_null().default(0));
    }
    table
        .col(columns.number("resumed_at_page"))
        .col(columns.text("calls").not_null())
        .col(columns.text("error"))
        .col(columns.text("warning"))
        .take()
}

fn sync_page(columns: &Columns) -> TableCreateStatement {
    table("sync_page")
        .col(columns.number("run_id").not_null())
        .col(columns.number("page").not_null())
        .col(columns.identifier("next_openid").not_null())
        .col(columns.bytes("seen").not_null())
        .col(columns.text("deferred").not_null())
        .primary_key(sea_query::Index::create().col("run_id").col("page"))
        .take()
}

fn quarantine(columns: &Columns) -> TableCreateStatement {
    table("quarantine")
        .col(ColumnDef::new("account_id").integer().not_null())
        .col(columns.identifier("openid").not_null())
        .col(columns.text("reason").not_null())
        .col(columns.number("run_id").not_null())
        .col(columns.number("since_at").not_null())
        .primary_key(sea_query::Index::create().col("account_id").col("openid"))
        .take()
}

fn unionid_conflict(columns: &Columns) -> TableCreateStatement {
    table("unionid_conflict")
        .col(columns.serial("id"))
        .col(ColumnDef::new("account_id").integer().not_null())
        .col(columns.identifier("openid").not_null())
        .col(columns.identifier("old_unionid").not_null())
        .col(columns.identifier("new_unionid").not_null())
        .col(columns.number("run_id").not_null())
        .col(columns.number("confirmed_at").not_null())
        .take()
}

fn lease(columns: &Columns) -> TableCreateStatement {
    table("lease")
        .col(columns.identifier("name").not_null().primary_key())
        .col(columns.identifier("holder").not_null())
        .col(columns.number("fence").not_null())
        .col(columns.number("expires_at").not_null())
        .take()
}

fn access_token(columns: &Columns) -> TableCreateStatement {
    table("access_token")
        .col(columns.identifier("appid").not_null().primary_key())
        .col(columns.text("sealed").not_null())
        .col(columns.number("obtained_at").not_null())
        .col(columns.number("expires_at").not_null())
        .col(columns.number("fence").not_null())
        .col(ColumnDef::new("refusals").integer().not_null().default(0))
        .col(columns.number("refused_since_at").not_null().default(0))
        .take()
}

/// The columns that a lookup by unionid returns.
const LOOKUP_COLUMNS: [&str; 6] =
    ["openid", "subscribed", "profile_at", "event_at", "created_at", "unfollowed_at"];

/// The indexes of these tables.
fn indexes(backend: DbBackend) -> [Index; 4] {
    let by_unionid = index("follower", "follower_unionid_account", &["unionid", "account_id"]);
    [
        unique("follower", "follower_account_openid", &["account_id", "openid"]),
        match backend {
            DbBackend::Postgres => covering(by_unionid, &LOOKUP_COLUMNS),
            // The other databases could include them only as part of the key.
            _ => by_unionid,
        },
        // At most one run per account and tick, even if several replicas start one.
        unique("sync_run", "sync_run_account_tick", &["account_id", "scheduled_at"]),
        // Writing a page again does not record a conflict twice.
        unique(
            "unionid_conflict",
            "unionid_conflict_run_person",
            &["run_id", "account_id", "openid"],
        ),
    ]
}
