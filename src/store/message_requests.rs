//! Requests with an Idempotency-Key: each is processed once, and repetitions get the same response for a day.

use entity::message_request::{Column, Entity};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::sql::{self, Sql};
use super::{Connection, Error};

/// The identity of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The owner of the API key that the request used.
    pub owner: String,
    /// A digest of the Idempotency-Key, at most 64 characters.
    pub name: String,
    /// A digest of the request body, at most 64 characters.
    pub body: String,
}

/// An earlier request with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierRequest {
    /// A digest of its body.
    pub body: String,
    /// The response it got, or its provisional response while it is in flight.
    pub answer: String,
    /// Until when the request may still be in flight, in ms; 0 once its response is final.
    pub in_flight_until: i64,
}

/// Finds an earlier request with the same owner and name.
pub async fn find(
    connection: &impl Connection,
    request: &Request,
) -> Result<Option<EarlierRequest>, Error> {
    let id = (request.owner.clone(), request.name.clone());
    let row = Entity::find_by_id(id).one(connection).await?;
    Ok(row.map(|row| EarlierRequest {
        body: row.body,
        answer: row.answer,
        in_flight_until: row.in_flight_until,
    }))
}

/// Claims the name of a request, in the transaction of its effect. Returns `false` if another request has
/// the name. Waits for a concurrent transaction that is claiming it. Times are in ms.
pub async fn claim(
    connection: &impl Connection,
    request: &Request,
    answer: &str,
    in_flight_until: i64,
    requested_at: i64,
) -> Result<bool, Error> {
    let mut sql = Sql::new(connection);
    sql.insert_new("message_request (owner, name, body, answer, in_flight_until, requested_at)");
    sql.push(" VALUES (").bind(request.owner.as_str()).push(", ").bind(request.name.as_str());
    sql.push(", ").bind(request.body.as_str()).push(", ").bind(answer);
    sql.push(", ").bind(in_flight_until).push(", ").bind(requested_at).push(")").or_ignore();
    Ok(connection.execute_raw(sql.into_statement()).await?.rows_affected() == 1)
}

/// Records the final response to a request that was in flight.
pub async fn record_answer(
    connection: &impl Connection,
    request: &Request,
    answer: &str,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::Answer, Expr::value(answer))
        .col_expr(Column::InFlightUntil, Expr::value(0))
        .filter(Column::Owner.eq(request.owner.as_str()))
        .filter(Column::Name.eq(request.name.as_str()))
        .exec(connection)
        .await?;
    Ok(())
}

/// Deletes at most `limit` requests that were made before `at` (ms). Returns their number.
pub async fn delete_before(
    connection: &impl Connection,
    at: i64,
    limit: u64,
) -> Result<u64, Error> {
    sql::delete_below(connection, "message_request", "owner, name", "requested_at", at, limit).await
}
