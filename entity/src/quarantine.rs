//! Openids that WeChat lists but returns no profile for.

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
    /// WeChat's error, or why the openid is malformed.
    pub reason: String,
    /// The run that last quarantined the openid.
    pub run_id: i64,
    /// When the openid was first quarantined, in ms.
    pub since_at: i64,
}

/// No relations: queries write their joins explicitly.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
