//! Requests that came with an Idempotency-Key: asked once, answered the same for a day.

use entity::message_request::{Column, Entity};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::sql::{self, Sql};
use super::{Connection, Error};

/// A request as whoever sent it names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Whose API key it came with.
    pub owner: String,
    /// A digest of its Idempotency-Key, at most 64 characters.
    pub name: String,
    /// A digest of what it asks for, at most 64 characters.
    pub body: String,
}

/// What stands of a request that came before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// A digest of what it asked for.
    pub body: String,
    /// What it was answered with.
    pub answer: String,
    /// Until when it may still wait for its answer; 0 where it has it.
    pub in_flight_until: i64,
}

/// What stands of a request with this name, if one came before.
pub async fn find(
    connection: &impl Connection,
    request: &Request,
) -> Result<Option<Before>, Error> {
    let id = (request.owner.clone(), request.name.clone());
    let row = Entity::find_by_id(id).one(connection).await?;
    Ok(row.map(|row| Before {
        body: row.body,
        answer: row.answer,
        in_flight_until: row.in_flight_until,
    }))
}

/// Claims the name, in the transaction of what is asked for. `false` where another request has it: one
/// that is being claimed elsewhere is waited for.
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
    sql.push(", ").bind(in_flight_until).push(", ").bind(requested_at).push(")").or_nothing();
    Ok(connection.execute_raw(sql.into_statement()).await?.rows_affected() == 1)
}

/// Notes the answer that a request in flight was given at last.
pub async fn settle(
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

/// Forgets requests made before `at`, at most `limit` of them. Returns how many.
pub async fn forget_before(
    connection: &impl Connection,
    at: i64,
    limit: u64,
) -> Result<u64, Error> {
    sql::delete_below(connection, "message_request", "owner, name", "requested_at", at, limit).await
}
