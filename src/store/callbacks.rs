//! Records which callbacks were handled, so that any number of processes handle each only once.

use super::sql::{self, Sql};
use super::{Connection, Error};

/// Claims an event by its fingerprint, in the transaction of its effect. Returns `false` if the event was
/// handled before. `received_at` is in ms.
pub async fn claim(
    connection: &impl Connection,
    fingerprint: &str,
    received_at: i64,
) -> Result<bool, Error> {
    let mut sql = Sql::new(connection);
    sql.insert_new("callback_seen (event, received_at)");
    sql.push(" VALUES (").bind(fingerprint).push(", ").bind(received_at).push(")");
    sql.or_ignore();
    Ok(connection.execute_raw(sql.into_statement()).await?.rows_affected() == 1)
}

/// Deletes up to `limit` records of events that were received before `at` (ms). Returns their number.
pub async fn delete_before(
    connection: &impl Connection,
    at: i64,
    limit: u64,
) -> Result<u64, Error> {
    sql::delete_below(connection, "callback_seen", "event", "received_at", at, limit).await
}

/// When the latest recorded event of any account was received, in ms.
pub async fn find_latest(connection: &impl Connection) -> Result<Option<i64>, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT MAX(received_at) FROM callback_seen");
    let row = connection.query_one_raw(sql.into_statement()).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.flatten())
}
