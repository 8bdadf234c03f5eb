//! The committed pages of open runs. Together with `sync_run` they are the checkpoint of a run.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sync_page")]
pub struct Model {
    /// The run.
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: i64,
    /// Counted from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub page: i64,
    /// The cursor of the page after this one.
    pub next_openid: String,
    /// Row ids of the known followers on this page, a serialised Roaring bitmap.
    pub seen: Vec<u8>,
    /// Openids listed so far whose profiles are still to be fetched: a JSON array of at most 99.
    pub deferred: String,
}

/// No relations: queries write their joins explicitly.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
