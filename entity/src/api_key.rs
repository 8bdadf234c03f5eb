//! API keys, without their secrets.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    /// The public part of the key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// What the operator calls it.
    pub name: String,
    /// The public part of the first of the keys that took one another's place: whose they are.
    pub owner: String,
    /// A digest of the secret part, in hex.
    pub secret_hash: String,
    /// What it may do: words with commas between.
    pub scopes: String,
    /// The AppIDs it may name, with commas between; all where empty.
    pub appids: Option<String>,
    /// Requests a second; the configured limit where empty.
    pub requests_per_second: Option<i32>,
    /// When it was made.
    pub created_at: i64,
    /// When it ends by itself.
    pub expires_at: Option<i64>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
    /// When it was last used, to the minute or so.
    pub last_used_at: Option<i64>,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
