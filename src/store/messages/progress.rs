//! Records the progress of a claimed message.

use entity::message::{Column, Entity};
use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, UpdateMany};

use super::{Message, Route, json};
use crate::model::{Attempt, MessageId, MessageState};
use crate::store::sql::{self, Sql};
use crate::store::{Connection, Error};

/// One process's claim on a message, which differs from every other claim on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The message.
    pub id: MessageId,
    /// The number of the attempt.
    pub attempt: i32,
    /// When the claim ends, in ms.
    pub due_at: i64,
}

/// The state of a message after an attempt. All times are in ms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The new state.
    pub state: MessageState,
    /// WeChat's number of the message. `None` keeps a known number.
    pub msgid: Option<i64>,
    /// Why the message waits, failed, or has an unknown outcome.
    pub reason: Option<String>,
    /// All attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// When the next attempt is due; `None` if nothing is left to do.
    pub due_at: Option<i64>,
    /// When WeChat may first have received the message.
    pub first_sent_at: Option<i64>,
    /// When WeChat accepted the message.
    pub sent_at: Option<i64>,
    /// When the final state became known.
    pub finished_at: Option<i64>,
}

/// Records before a message is sent that WeChat may receive it from now on (`now` is in ms). Returns
/// `false` if the claim was lost.
pub async fn mark_sending(
    connection: &impl Connection,
    claim: &Claim,
    now: i64,
) -> Result<bool, Error> {
    let mut sql = Sql::new(connection);
    sql.push("UPDATE message SET sending_at = ").bind(now);
    sql.push(", first_sent_at = COALESCE(first_sent_at, ").bind(now).push(") WHERE id = ");
    sql.bind(claim.id.as_str()).push(" AND attempt = ").bind(claim.attempt);
    sql.push(" AND due_at = ").bind(claim.due_at);
    Ok(connection.execute_raw(sql.into_statement()).await?.rows_affected() == 1)
}

/// Ends a claim and records the progress of its message. If the claim was lost, writes nothing and returns
/// `false`.
pub async fn record(
    connection: &impl Connection,
    claim: &Claim,
    progress: &Progress,
) -> Result<bool, Error> {
    let mut sql = Sql::new(connection);
    sql.push("UPDATE message SET sending_at = NULL, state = ").bind(progress.state.as_str());
    // Keeps a number that a receipt or a late response provided.
    sql.push(", msgid = COALESCE(").bind(progress.msgid).push(", msgid)");
    sql.push(", reason = ").bind(progress.reason.as_deref());
    sql.push(", attempts = ").bind(json(&progress.attempts)?);
    sql.push(", due_at = ").bind(progress.due_at);
    sql.push(", first_sent_at = ").bind(progress.first_sent_at);
    sql.push(", sent_at = ").bind(progress.sent_at);
    sql.push(", finished_at = ").bind(progress.finished_at);
    sql.push(" WHERE id = ").bind(claim.id.as_str());
    sql.push(" AND attempt = ").bind(claim.attempt).push(" AND due_at = ").bind(claim.due_at);
    Ok(connection.execute_raw(sql.into_statement()).await?.rows_affected() == 1)
}

/// Ends a claim and queues its message on another route, due at `due_at` (ms). Returns `false` if the claim
/// was lost.
pub async fn reroute(
    connection: &impl Connection,
    claim: &Claim,
    route: &Route,
    attempts: &[Attempt],
    due_at: i64,
) -> Result<bool, Error> {
    let Route { channel, account, openid, template_id, content } = route;
    let values = [
        (Column::Channel, channel.as_str().into()),
        (Column::AccountId, (*account).into()),
        (Column::Openid, openid.as_str().into()),
        (Column::TemplateId, template_id.as_str().into()),
        (Column::Content, json(content)?.into()),
        (Column::Fallback, Option::<String>::None.into()),
        (Column::Attempts, json(&attempts)?.into()),
        (Column::State, MessageState::Queued.as_str().into()),
        (Column::Reason, Option::<String>::None.into()),
        (Column::DueAt, due_at.into()),
        (Column::SendingAt, Option::<i64>::None.into()),
        (Column::FirstSentAt, Option::<i64>::None.into()),
    ];
    end(connection, claim, values).await
}

/// Ends a claim on a message that was not sent, and restores the state from before the claim. Returns
/// `false` if the claim was lost.
pub async fn release(
    connection: &impl Connection,
    claim: &Claim,
    before: &Message,
) -> Result<bool, Error> {
    let values = [
        (Column::Attempt, before.attempt.into()),
        (Column::State, before.state.as_str().into()),
        (Column::Reason, before.reason.as_deref().into()),
        (Column::DueAt, before.due_at.into()),
        (Column::SendingAt, before.sending_at.into()),
        (Column::FirstSentAt, before.first_sent_at.into()),
    ];
    end(connection, claim, values).await
}

async fn end(
    connection: &impl Connection,
    claim: &Claim,
    values: impl IntoIterator<Item = (Column, sea_orm::Value)>,
) -> Result<bool, Error> {
    let set = |update: UpdateMany<Entity>, (column, value)| {
        update.col_expr(column, SimpleExpr::from(Expr::value(value)))
    };
    let update = values.into_iter().fold(Entity::update_many(), set);
    let ended = update
        .filter(Column::Id.eq(claim.id.as_str()))
        .filter(Column::Attempt.eq(claim.attempt))
        .filter(Column::DueAt.eq(claim.due_at))
        .exec(connection)
        .await?;
    Ok(ended.rows_affected == 1)
}

/// Deletes at most `limit` messages that were accepted before `at` (ms). Returns their number.
pub async fn delete_before(
    connection: &impl Connection,
    at: i64,
    limit: u64,
) -> Result<u64, Error> {
    sql::delete_below(connection, "message", "id", "id", super::first_id_at(at), limit).await
}
