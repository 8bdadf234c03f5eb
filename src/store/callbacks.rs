//! Which callbacks were handled, so that each is handled once by any number of processes.

use super::sql::{self, Sql};
use super::{Connection, Error};

/// Claims an event by its fingerprint, in the transaction of its effect. `false` where it was
/// handled before.
pub async fn claim(
    connection: &impl Connection,
    fingerprint: &str,
    received_at: i64,
) -> Result<bool, Error> {
    let mut sql = Sql::new(connection);
    sql.insert_new("callback_seen (event, received_at)");
    sql.push(" VALUES (").bind(fingerprint).push(", ").bind(received_at).push(")");
    sql.or_nothing();
    Ok(connection.execute_raw(sql.into_statement()).await?.rows_affected() == 1)
}

/// Forgets events received before `at`, up to `limit` of them. Returns how many.
pub async fn forget_before(
    connection: &impl Connection,
    at: i64,
    limit: u64,
) -> Result<u64, Error> {
    sql::delete_below(connection, "callback_seen", "event", "received_at", at, limit).await
}

/// When the latest event came that is still remembered, whichever account it was for.
pub async fn find_latest(connection: &impl Connection) -> Result<Option<i64>, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT MAX(received_at) FROM callback_seen");
    let row = connection.query_one_raw(sql.into_statement()).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.flatten())
}
