//! Lists followers of one or more accounts in pages.
//!
//! Pages follow the row ids, so each costs the same wherever it begins. If few rows match the filter, a page
//! ends after [`MAX_SCANNED_ROWS`], with fewer entries than requested and a cursor to continue from.

use sea_orm::QueryResult;

use crate::model::{OpenId, UnionId};
use crate::store::sql::Sql;
use crate::store::{AccountId, Connection, Error, parsed};

/// The maximum number of rows read for one page, so that the caller gets its response in time.
const MAX_SCANNED_ROWS: u64 = 200_000;

/// The maximum number of rows read by one statement.
const MAX_STEP_ROWS: u64 = 65_536;

/// Which followers to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Followers of these accounts.
    pub accounts: Vec<AccountId>,
    /// `true`: only current followers; `false`: only former followers.
    pub subscribed: Option<bool>,
    /// `true`: only followers whose unionid is known; `false`: only the others.
    pub has_unionid: Option<bool>,
}

/// A follower with all profile columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowerDetails {
    /// The row id.
    pub id: u64,
    /// The number of the account.
    pub account: AccountId,
    /// The user's openid in the account.
    pub openid: OpenId,
    /// The user's unionid, if known.
    pub unionid: Option<UnionId>,
    /// Whether the user follows the account.
    pub subscribed: bool,
    /// When the user last followed, in seconds since 1970.
    pub subscribed_at: Option<i64>,
    /// When the user was found to have unfollowed, in ms.
    pub unfollowed_at: Option<i64>,
    /// How the user found the account (WeChat's `subscribe_scene`).
    pub subscribe_scene: Option<String>,
    /// The user's language.
    pub language: Option<String>,
    /// The operator's remark about the user.
    pub remark: Option<String>,
    /// The operator's tags, as a JSON array.
    pub tag_ids: Option<String>,
    /// The number in the QR code that the user scanned to follow.
    pub qr_scene: Option<i64>,
    /// The text in that QR code.
    pub qr_scene_text: Option<String>,
    /// When WeChat returned these values, in ms.
    pub profile_at: i64,
}

const SELECT: &str = "SELECT id, account_id, openid, unionid, subscribed, subscribed_at, unfollowed_at, \
                      subscribe_scene, language, remark, tag_ids, qr_scene, qr_scene_text, profile_at \
                      FROM follower";

/// Returns at most `limit` followers by ascending row id above `after`, and the row id after which the next
/// page begins: `None` if there are no more followers.
pub async fn list_page(
    connection: &impl Connection,
    filter: &Filter,
    after: u64,
    limit: u64,
) -> Result<(Vec<FollowerDetails>, Option<u64>), Error> {
    let (mut page, mut after, mut scanned) = (Vec::new(), after, 0);
    let mut step = limit + 1;
    loop {
        let (rows, last) = find_step(connection, after, step).await?;
        let Some(last) = last else { return Ok((page, None)) };
        // One more than requested shows whether there is a next page.
        let missing = limit + 1 - page.len() as u64;
        page.extend(list_within(connection, filter, after, last, missing).await?);
        if page.len() as u64 > limit {
            page.truncate(limit as usize);
            let next = page.last().map(|shown| shown.id);
            return Ok((page, next));
        }
        scanned += rows;
        if rows < step {
            return Ok((page, None));
        }
        if scanned >= MAX_SCANNED_ROWS {
            return Ok((page, Some(last)));
        }
        after = last;
        step = (step * 4).min(MAX_STEP_ROWS);
    }
}

/// Counts the rows above `after`, up to `max_rows`, and returns their number and their highest id.
async fn find_step(
    connection: &impl Connection,
    after: u64,
    max_rows: u64,
) -> Result<(u64, Option<u64>), Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT COUNT(*), MAX(id) FROM (SELECT id FROM follower WHERE id > ");
    sql.bind(after.cast_signed()).push(" ORDER BY id LIMIT ").bind(max_rows.cast_signed());
    sql.push(") step");
    let row = connection.query_one_raw(sql.into_statement()).await?;
    let row = row.ok_or_else(|| Error::unexpected("a count returned no row"))?;
    let (rows, last): (i64, Option<i64>) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    Ok((rows.cast_unsigned(), last.map(i64::cast_unsigned)))
}

async fn list_within(
    connection: &impl Connection,
    filter: &Filter,
    after: u64,
    last: u64,
    limit: u64,
) -> Result<Vec<FollowerDetails>, Error> {
    let mut sql = Sql::new(connection);
    sql.push(SELECT).push(" WHERE id > ").bind(after.cast_signed());
    // In the order of the row ids, which avoids sorting all rows of the accounts.
    sql.push(" AND id <= ").bind(last.cast_signed()).push(" AND ").skip_index();
    sql.push("account_id IN ");
    sql.bind_list(filter.accounts.iter().copied());
    match filter.subscribed {
        Some(true) => _ = sql.push(" AND subscribed"),
        Some(false) => _ = sql.push(" AND NOT subscribed"),
        None => {}
    }
    match filter.has_unionid {
        Some(true) => _ = sql.push(" AND unionid IS NOT NULL"),
        Some(false) => _ = sql.push(" AND unionid IS NULL"),
        None => {}
    }
    sql.push(" ORDER BY id LIMIT ").bind(limit.cast_signed());
    connection.query_all_raw(sql.into_statement()).await?.iter().map(shown).collect()
}

fn shown(row: &QueryResult) -> Result<FollowerDetails, Error> {
    Ok(FollowerDetails {
        id: row.try_get_by_index::<i64>(0)?.cast_unsigned(),
        account: row.try_get_by_index(1)?,
        openid: parsed(row.try_get_by_index::<String>(2)?)?,
        unionid: row.try_get_by_index::<Option<String>>(3)?.map(parsed).transpose()?,
        subscribed: row.try_get_by_index(4)?,
        subscribed_at: row.try_get_by_index(5)?,
        unfollowed_at: row.try_get_by_index(6)?,
        subscribe_scene: row.try_get_by_index(7)?,
        language: row.try_get_by_index(8)?,
        remark: row.try_get_by_index(9)?,
        tag_ids: row.try_get_by_index(10)?,
        qr_scene: row.try_get_by_index(11)?,
        qr_scene_text: row.try_get_by_index(12)?,
        profile_at: row.try_get_by_index(13)?,
    })
}
