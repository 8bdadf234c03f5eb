//! API keys, without their secrets.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    /// The public part of the key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// The name that the operator gave the key.
    pub name: String,
    /// The public part of the first key of a series in which each key replaced the one before.
    pub owner: String,
    /// A digest of the secret part, in hex.
    pub secret_hash: String,
    /// The permissions, separated by commas.
    pub scopes: String,
    /// The AppIDs that the key may access, separated by commas; all if null.
    pub appids: Option<String>,
    /// The limit in requests per second; the configured limit if null.
    pub requests_per_second: Option<i32>,
    /// When the key was created, in ms.
    pub created_at: i64,
    /// When the key expires, in ms.
    pub expires_at: Option<i64>,
    /// When the key was revoked, in ms.
    pub revoked_at: Option<i64>,
    /// When the key was last used, in ms; accurate to about a minute.
    pub last_used_at: Option<i64>,
}

/// No relations: queries write their joins explicitly.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
