//! What became of a message that was taken up.

use entity::message::{Column, Entity};
use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, UpdateMany};

use super::{Message, Route, json};
use crate::model::{Attempt, MessageId, MessageState};
use crate::store::sql::{self, Sql};
use crate::store::{Connection, Error};

/// What one process has taken up, told from what another may take up later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Which message.
    pub id: MessageId,
    /// Which attempt at it.
    pub attempt: i32,
    /// When the claim ends.
    pub due_at: i64,
}

/// How a message stands after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// How far it has come.
    pub state: MessageState,
    /// WeChat's number for it; one that is known already stays where this is `None`.
    pub msgid: Option<i64>,
    /// Why it waits, failed, or may have arrived.
    pub reason: Option<String>,
    /// Every attempt, the latest last.
    pub attempts: Vec<Attempt>,
    /// When it is taken up next; `None` where nothing is left to do.
    pub due_at: Option<i64>,
    /// When WeChat may first have got it.
    pub first_sent_at: Option<i64>,
    /// When WeChat took it.
    pub sent_at: Option<i64>,
    /// When its fate was known.
    pub finished_at: Option<i64>,
}

/// Notes that the message leaves now, and that WeChat may have it. `false` where the claim was lost.
pub async fn depart(connection: &impl Connection, claim: &Claim, now: i64) -> Result<bool, Error> {
    let mut sql = Sql::new(connection);
    sql.push("UPDATE message SET sending_at = ").bind(now);
    sql.push(", first_sent_at = COALESCE(first_sent_at, ").bind(now).push(") WHERE id = ");
    sql.bind(claim.id.as_str()).push(" AND attempt = ").bind(claim.attempt);
    sql.push(" AND due_at = ").bind(claim.due_at);
    Ok(connection.execute_raw(sql.into_statement()).await?.rows_affected() == 1)
}

/// Ends a claim with how the message stands now. `false` where the claim was lost, and nothing is
/// written.
pub async fn record(
    connection: &impl Connection,
    claim: &Claim,
    progress: &Progress,
) -> Result<bool, Error> {
    let mut sql = Sql::new(connection);
    sql.push("UPDATE message SET sending_at = NULL, state = ").bind(progress.state.as_str());
    // One that is known, from a receipt or a late answer, stays.
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

/// Ends a claim by having the message go another way, as soon as `due_at`. `false` where the claim was
/// lost.
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

/// Gives a message back as it was before it was taken up: it never left. `false` where the claim was
/// lost.
pub async fn give_back(
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

/// Deletes messages accepted before `at`, at most `limit` at once. Returns how many.
pub async fn delete_before(
    connection: &impl Connection,
    at: i64,
    limit: u64,
) -> Result<u64, Error> {
    sql::delete_below(connection, "message", "id", "id", super::first_id_at(at), limit).await
}
