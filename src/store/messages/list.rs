//! Messages by the page, and how many there are of each template and day.

use entity::message::{Column, Entity};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{Message, message};
use crate::model::{MessageId, MessageState, OpenId, TemplateId, UnionId};
use crate::store::sql::Sql;
use crate::store::{AccountId, Connection, Error, parsed};

/// WeChat's day begins at midnight, UTC+8.
const DAY_OFFSET_MS: i64 = 8 * 3_600_000;

/// A day in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// Which messages are listed; an empty one lists all of these accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Sent by one of these; none lists nothing.
    pub accounts: Vec<AccountId>,
    /// In this state.
    pub state: Option<MessageState>,
    /// By this template.
    pub template_id: Option<TemplateId>,
    /// To this person, in the account that sent.
    pub openid: Option<OpenId>,
    /// To this person, across accounts.
    pub unionid: Option<UnionId>,
}

/// The newest messages first, from below `before` on.
pub async fn list(
    connection: &impl Connection,
    filter: &Filter,
    before: Option<&MessageId>,
    limit: u64,
) -> Result<Vec<Message>, Error> {
    let Filter { accounts, state, template_id, openid, unionid } = filter;
    let mut query = Entity::find().filter(Column::AccountId.is_in(accounts.iter().copied()));
    if let Some(state) = state {
        query = query.filter(Column::State.eq(state.as_str()));
    }
    if let Some(template_id) = template_id {
        query = query.filter(Column::TemplateId.eq(template_id.as_str()));
    }
    if let Some(openid) = openid {
        query = query.filter(Column::Openid.eq(openid.as_str()));
    }
    if let Some(unionid) = unionid {
        query = query.filter(Column::Unionid.eq(unionid.as_str()));
    }
    if let Some(before) = before {
        query = query.filter(Column::Id.lt(before.as_str()));
    }
    let rows = query.order_by_desc(Column::Id).limit(limit).all(connection).await?;
    rows.into_iter().map(message).collect()
}

/// How many messages of one template, accepted on one day, have come how far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The account that sends.
    pub account: AccountId,
    /// The template.
    pub template_id: TemplateId,
    /// Days since 1970-01-01, at UTC+8.
    pub day: i64,
    /// How far they have come.
    pub state: MessageState,
    /// How many.
    pub messages: u64,
}

/// Counts the messages of these accounts that were accepted on a day, counted at UTC+8.
///
/// A day is a range of ids; over several, no database knows how many groups to expect, and sorts.
pub async fn count(
    connection: &impl Connection,
    accounts: &[AccountId],
    day: i64,
) -> Result<Vec<Count>, Error> {
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new(connection);
    sql.push("SELECT account_id, template_id, state, COUNT(*) FROM message WHERE account_id IN ");
    sql.bind_list(accounts.iter().copied());
    sql.push(" AND id >= ").bind(first_id(day)).push(" AND id < ").bind(first_id(day + 1));
    sql.push(" GROUP BY account_id, template_id, state ORDER BY account_id, template_id, state");
    let rows = connection.query_all_raw(sql.into_statement()).await?;
    rows.iter().map(|row| counted(row, day)).collect()
}

fn counted(row: &sea_orm::QueryResult, day: i64) -> Result<Count, Error> {
    let state: String = row.try_get_by_index(2)?;
    let unknown = || Error::unexpected("a message in the database is in no known state");
    Ok(Count {
        account: row.try_get_by_index(0)?,
        template_id: parsed(row.try_get_by_index(1)?)?,
        day,
        state: MessageState::from_word(&state).ok_or_else(unknown)?,
        messages: row.try_get_by_index::<i64>(3)?.unsigned_abs(),
    })
}

/// Below the ids of every message of a day.
fn first_id(day: i64) -> String {
    first_id_at(day * DAY_MS - DAY_OFFSET_MS)
}

/// Below the ids of every message accepted at an instant or later.
pub(super) fn first_id_at(at: i64) -> String {
    Uuid::from_u128(u128::from(at.max(0).unsigned_abs()) << 80).simple().to_string()
}
