//! What was done that somebody may have to account for.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit")]
pub struct Model {
    /// Counted up by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// When.
    pub at: i64,
    /// The API key, by its public part, or `cli`.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what: an AppID, a key, or the digest of a person.
    pub subject: Option<String>,
    /// The request it came by.
    pub request_id: Option<String>,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
