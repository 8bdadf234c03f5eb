//! Looking a whole page up: the least of each follower, many followers a row.
//!
//! A night looks every follower up and finds nearly all of them unchanged, so this is where its time
//! goes. On SQLite each row costs more to hand over than to find; therefore SQLite and PostgreSQL
//! put many into one text. PostgreSQL is told to look each up by the index: asked for ten thousand, it
//! would rather read the whole table, once for each page of the list.

use std::collections::HashMap;

use sea_orm::{DbBackend, QueryResult};

use crate::model::OpenId;
use crate::store::sql::Sql;
use crate::store::{AccountId, Connection, Error};

/// How a known follower stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowerStatus {
    /// The row id.
    pub id: u64,
    /// Whether the person follows, as far as we know.
    pub subscribed: bool,
    /// Whether the unionid is known.
    pub has_unionid: bool,
}

/// Openids a statement: a page of WeChat's list.
const OPENIDS_PER_STATEMENT: usize = 10_000;

/// The same on MariaDB, which makes a table of a list of a thousand and joins it: twice the time.
const OPENIDS_PER_MYSQL_STATEMENT: usize = 500;

/// Which of `openids` the account has had as followers, and how they stand.
pub async fn list_statuses(
    connection: &impl Connection,
    account: AccountId,
    openids: &[OpenId],
) -> Result<HashMap<OpenId, FollowerStatus>, Error> {
    let mut found = HashMap::with_capacity(openids.len());
    let most = match connection.get_database_backend() {
        DbBackend::MySql => OPENIDS_PER_MYSQL_STATEMENT,
        _ => OPENIDS_PER_STATEMENT,
    };
    for chunk in openids.chunks(most) {
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
                let (openid, status_of) = status_of(part).ok_or_else(unreadable)?;
                found.insert(openid, status_of);
            }
        }
    }
    Ok(found)
}

/// ` FROM follower …`: those of the account that are among `openids`.
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

fn status_of(part: &str) -> Option<(OpenId, FollowerStatus)> {
    let mut fields = part.split(',');
    let openid = fields.next()?.parse().ok()?;
    let id = fields.next()?.parse().ok()?;
    let (subscribed, has_unionid) = (fields.next()? == "1", fields.next()? == "1");
    Some((openid, FollowerStatus { id, subscribed, has_unionid }))
}

/// Row ids of followers that a crawl begun at `crawl_at` should have listed: known since before it,
/// and no event since. At most `limit`, ascending, above `after_id`.
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
    // Along the row ids: by the index on accounts SQLite would sort all of the account's rows for
    // every few.
    sql.past_index().push("account_id = ").bind(account);
    sql.push(" AND subscribed AND created_at < ").bind(crawl_at);
    sql.push(" AND event_at < ").bind(crawl_at).push(" AND id > ").bind(after_id.cast_signed());
    sql.push(" ORDER BY id LIMIT ").bind(limit.cast_signed()).push(") expected");
    let mut ids = Vec::new();
    for text in texts(&connection.query_all_raw(sql.into_statement()).await?)? {
        for id in text.split(';') {
            ids.push(id.parse().map_err(|_| unreadable())?);
        }
    }
    ids.sort_unstable();
    Ok(ids)
}

/// `text` of many rows in one, with `;` between; one a row on MariaDB and MySQL, which cut such a
/// text short.
fn packed(sql: &Sql, text: &str) -> String {
    match sql.backend() {
        DbBackend::MySql => text.to_owned(),
        DbBackend::Postgres => format!("STRING_AGG({text}, ';')"),
        _ => format!("GROUP_CONCAT({text}, ';')"),
    }
}

/// An aggregate over nothing is one row without a text.
fn texts(rows: &[QueryResult]) -> Result<Vec<String>, Error> {
    let texts: Result<Vec<Option<String>>, _> =
        rows.iter().map(|row| row.try_get_by_index(0)).collect();
    Ok(texts?.into_iter().flatten().collect())
}

fn unreadable() -> Error {
    Error::unexpected("a follower in the database is malformed")
}
