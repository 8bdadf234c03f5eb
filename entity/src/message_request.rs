//! Requests with an Idempotency-Key, so that a repetition gets the same answer.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message_request")]
pub struct Model {
    /// Whose API key asked: it stays when a key is rolled.
    #[sea_orm(primary_key, auto_increment = false)]
    pub owner: String,
    /// A digest of the Idempotency-Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// A digest of what was asked.
    pub body: String,
    /// What was answered, in JSON.
    pub answer: String,
    /// Until when the first request may still be waiting for its answer; 0 where it has it.
    pub in_flight_until: i64,
    /// When it came.
    pub requested_at: i64,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
