//! Openids that WeChat lists and refuses to answer for.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "quarantine")]
pub struct Model {
    /// The Official Account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i32,
    /// The openid, as listed.
    #[sea_orm(primary_key, auto_increment = false)]
    pub openid: String,
    /// What WeChat said, or what is wrong with it.
    pub reason: String,
    /// The run that put it here.
    pub run_id: i64,
    /// When it was put here.
    pub since_at: i64,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
