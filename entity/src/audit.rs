//! The audit trail.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit")]
pub struct Model {
    /// Assigned by the database, in increasing order.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// When the action happened, in ms.
    pub at: i64,
    /// The public part of the API key, or `cli`.
    pub actor: String,
    /// The action, such as `key.created`.
    pub action: String,
    /// The object of the action: an AppID, the public part of a key, or the digest of a user.
    pub subject: Option<String>,
    /// The id of the request that caused the action.
    pub request_id: Option<String>,
}

/// No relations: queries write their joins explicitly.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
