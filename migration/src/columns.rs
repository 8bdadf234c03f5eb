//! Column types that have the same meaning on each database.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// Creates column definitions for one kind of database.
pub(crate) struct Columns(pub(crate) DbBackend);

impl Columns {
    /// An identifier of at most 64 bytes, compared byte by byte.
    ///
    /// By default MariaDB and MySQL ignore case, so that `oAb` and `oab` would be the same user.
    pub(crate) fn identifier(&self, name: &'static str) -> ColumnDef {
        let sql_type = match self.0 {
            DbBackend::MySql => "varchar(64) character set utf8mb4 collate utf8mb4_bin",
            DbBackend::Postgres => r#"varchar(64) collate "C""#,
            _ => "text",
        };
        ColumnDef::new(name).custom(sql_type).take()
    }

    /// Free text of any length.
    pub(crate) fn text(&self, name: &'static str) -> ColumnDef {
        let sql_type = match self.0 {
            DbBackend::MySql => "text character set utf8mb4",
            _ => "text",
        };
        ColumnDef::new(name).custom(sql_type).take()
    }

    /// Free text that may exceed 64 KiB, the limit of MySQL's `text` type.
    pub(crate) fn long_text(&self, name: &'static str) -> ColumnDef {
        let sql_type = match self.0 {
            DbBackend::MySql => "longtext character set utf8mb4",
            _ => "text",
        };
        ColumnDef::new(name).custom(sql_type).take()
    }

    /// Bytes, up to a few megabytes.
    pub(crate) fn bytes(&self, name: &'static str) -> ColumnDef {
        let sql_type = match self.0 {
            DbBackend::MySql => "longblob",
            DbBackend::Postgres => "bytea",
            _ => "blob",
        };
        ColumnDef::new(name).custom(sql_type).take()
    }

    /// A primary key that the database assigns in increasing order.
    pub(crate) fn serial(&self, name: &'static str) -> ColumnDef {
        ColumnDef::new(name).big_integer().not_null().auto_increment().primary_key().take()
    }

    /// A count, an amount, or a time.
    pub(crate) fn number(&self, name: &'static str) -> ColumnDef {
        ColumnDef::new(name).big_integer().take()
    }
}
