//! Looks up the status of a whole page of followers.
//!
//! The nightly sync looks up every follower and finds nearly all of them unchanged, so most of its time is
//! spent here. On SQLite it takes longer to hand over a row than to find it, so SQLite and PostgreSQL
//! aggregate many followers into one text. The join on PostgreSQL forces an index lookup for each openid:
//! with a plain list of 10,000 openids it would scan the whole table for each page.

use std::collections::HashMap;

use sea_orm::{DbBackend, QueryResult};

use crate::model::OpenId;
use crate::store::sql::Sql;
use crate::store::{AccountId, Connection, Error};

/// The status of a follower in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowerStatus {
    /// The row id.
    pub id: u64,
    /// Whether the user follows the account.
    pub subscribed: bool,
    /// Whether the unionid is known.
    pub has_unionid: bool,
}

/// The size of a page of WeChat's list.
const OPENIDS_PER_STATEMENT: usize = 10_000;

/// The limit on MySQL and MariaDB. MariaDB converts a list of 1,000 values into a table and joins it, which
/// takes twice as long.
const OPENIDS_PER_MYSQL_STATEMENT: usize = 500;

/// Returns the status of those of `openids` that are stored as present or past followers of the account.
pub async fn list_statuses(
    connection: &impl Connection,
    account: AccountId,
    openids: &[OpenId],
) -> Result<HashMap<OpenId, FollowerStatus>, Error> {
    let mut found = HashMap::with_capacity(openids.len());
    let chunk_size = match connection.get_database_backend() {
        DbBackend::MySql => OPENIDS_PER_MYSQL_STATEMENT,
        _ => OPENIDS_PER_STATEMENT,
    };
    for chunk in openids.chunks(chunk_size) {
        let mut sql = Sql::new(connection);
        sql.reserve(300 + 8 * chunk.len(), 1 + chunk.len());
        let packed = packed(
            &sql,
            "CONCAT(openid, ',', id, ',', CASE WHEN subscribed THEN 1 ELSE 0 END, ',', \
             CASE WHEN unionid IS NULL THEN 0 ELSE 1 END)",
        );
        sql.push("SELECT ").push(&packed);
        push_followers(&mut sql, account, chunk);
        for text in texts(&connection.query_all_raw(sql.into_statement()).await?)? {
            for part in text.split(';') {
                let (openid, status) = parse_status(part).ok_or_else(malformed)?;
                found.insert(openid, status);
            }
        }
    }
    Ok(found)
}

/// Appends ` FROM follower …` for the followers of the account that are in `openids`.
fn push_followers(sql: &mut Sql, account: AccountId, openids: &[OpenId]) {
    let openids = openids.iter().map(OpenId::as_str);
    if sql.backend() == DbBackend::Postgres {
        let texts: Vec<_> = openids.collect();
        sql.push(" FROM unnest(string_to_array(").bind(texts.join(",")).push(", ',')) AS asked(o)");
        sql.push(" CROSS JOIN LATERAL (SELECT * FROM follower WHERE account_id = ").bind(account);
        sql.push(" AND openid = o LIMIT 1) AS follower");
    } else {
        sql.push(" FROM follower WHERE account_id = ").bind(account);
        sql.push(" AND openid IN ").bind_list(openids);
    }
}

fn parse_status(part: &str) -> Option<(OpenId, FollowerStatus)> {
    let mut fields = part.split(',');
    let openid = fields.next()?.parse().ok()?;
    let id = fields.next()?.parse().ok()?;
    let (subscribed, has_unionid) = (fields.next()? == "1", fields.next()? == "1");
    Some((openid, FollowerStatus { id, subscribed, has_unionid }))
}

/// Returns the row ids of followers that a crawl begun at `crawl_at` (ms) should have listed: those stored
/// before that time and without an event since. At most `limit`, ascending, above `after_id`.
pub async fn list_expected_ids(
    connection: &impl Connection,
    account: AccountId,
    crawl_at: i64,
    after_id: u64,
    limit: u64,
) -> Result<Vec<u64>, Error> {
    let mut sql = Sql::new(connection);
    let packed = packed(&sql, "CONCAT(id, '')");
    sql.push("SELECT ").push(&packed).push(" FROM (SELECT id FROM follower WHERE ");
    // In the order of the row ids: by the index on accounts SQLite would sort all rows of the account for
    // each batch.
    sql.skip_index().push("account_id = ").bind(account);
    sql.push(" AND subscribed AND created_at < ").bind(crawl_at);
    sql.push(" AND event_at < ").bind(crawl_at).push(" AND id > ").bind(after_id.cast_signed());
    sql.push(" ORDER BY id LIMIT ").bind(limit.cast_signed()).push(") expected");
    let mut ids = Vec::new();
    for text in texts(&connection.query_all_raw(sql.into_statement()).await?)? {
        for id in text.split(';') {
            ids.push(id.parse().map_err(|_| malformed())?);
        }
    }
    ids.sort_unstable();
    Ok(ids)
}

/// SQL that joins `text` of many rows with `;`. On MariaDB and MySQL, which truncate aggregated text, it
/// returns one text per row instead.
fn packed(sql: &Sql, text: &str) -> String {
    match sql.backend() {
        DbBackend::MySql => text.to_owned(),
        DbBackend::Postgres => format!("STRING_AGG({text}, ';')"),
        _ => format!("GROUP_CONCAT({text}, ';')"),
    }
}

/// Returns the texts of all rows. An aggregate over no rows returns one row with NULL, which is skipped.
fn texts(rows: &[QueryResult]) -> Result<Vec<String>, Error> {
    let texts: Result<Vec<Option<String>>, _> =
        rows.iter().map(|row| row.try_get_by_index(0)).collect();
    Ok(texts?.into_iter().flatten().collect())
}

fn malformed() -> Error {
    Error::unexpected("a follower in the database is malformed")
}
