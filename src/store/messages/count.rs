//! How many messages there are of each template and day.

use super::first_id_at;
use crate::model::{MessageState, TemplateId};
use crate::store::sql::Sql;
use crate::store::{AccountId, Connection, Error, parsed};

/// WeChat's day begins at midnight, UTC+8.
const DAY_OFFSET_MS: i64 = 8 * 3_600_000;

/// A day in milliseconds.
const DAY_MS: i64 = 86_400_000;

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
