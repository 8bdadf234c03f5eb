//! Counts messages by account, template, day and state.

use super::first_id_at;
use crate::model::{MessageState, TemplateId};
use crate::store::sql::Sql;
use crate::store::{AccountId, Connection, Error, parsed};

/// WeChat's day begins at midnight, UTC+8.
const DAY_OFFSET_MS: i64 = 8 * 3_600_000;

const DAY_MS: i64 = 86_400_000;

/// The number of messages of one template that were accepted on one day and are in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The account that sends.
    pub account: AccountId,
    /// The template.
    pub template_id: TemplateId,
    /// The day, in days since 1970-01-01 at UTC+8.
    pub day: i64,
    /// The state of the messages.
    pub state: MessageState,
    /// The number of messages.
    pub messages: u64,
}

/// Counts the messages of these accounts that were accepted on `day`, in days since 1970-01-01 at UTC+8.
///
/// One day is a range of ids. Over several days the databases cannot estimate the number of groups, and
/// sort.
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
    let unknown = || Error::unexpected("a message in the database has an unknown state");
    Ok(Count {
        account: row.try_get_by_index(0)?,
        template_id: parsed(row.try_get_by_index(1)?)?,
        day,
        state: MessageState::from_code(&state).ok_or_else(unknown)?,
        messages: row.try_get_by_index::<i64>(3)?.unsigned_abs(),
    })
}

/// The lower bound of the ids of all messages that were accepted on a day.
fn first_id(day: i64) -> String {
    first_id_at(day * DAY_MS - DAY_OFFSET_MS)
}
