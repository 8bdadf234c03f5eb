//! Requests with an Idempotency-Key, so that repetitions get the same response.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message_request")]
pub struct Model {
    /// The owner of the API key, which does not change when the key is rolled.
    #[sea_orm(primary_key, auto_increment = false)]
    pub owner: String,
    /// A digest of the Idempotency-Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// A digest of the request body.
    pub body: String,
    /// The response, in JSON.
    pub answer: String,
    /// Until when the first request may still be in flight, in ms; 0 once its response is final.
    pub in_flight_until: i64,
    /// When the request arrived, in ms.
    pub requested_at: i64,
}

/// No relations: queries write their joins explicitly.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
