//! Listing followers by the page, of one account or several.
//!
//! A walk along the row ids: a page costs the same wherever it stands. Where few rows match, a page ends
//! after so many rows looked at, with fewer entries than asked for and a place to go on from.

use sea_orm::QueryResult;

use crate::model::{OpenId, UnionId};
use crate::store::sql::Sql;
use crate::store::{AccountId, Connection, Error, parsed};

/// Rows looked at for one page: an answer must not take longer than its caller waits.
const MOST_ROWS: u64 = 200_000;

/// Rows looked at by one statement.
const LARGEST_STEP: u64 = 65_536;

/// Which followers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Of these accounts.
    pub accounts: Vec<AccountId>,
    /// Only those who follow, or only those who left.
    pub subscribed: Option<bool>,
    /// Only those whose unionid is known, or only the others.
    pub has_unionid: Option<bool>,
}

/// A follower as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The row id.
    pub id: u64,
    /// The account's number.
    pub account: AccountId,
    /// The person in the account.
    pub openid: OpenId,
    /// The person across accounts, once known.
    pub unionid: Option<UnionId>,
    /// Whether they follow.
    pub subscribed: bool,
    /// Of the latest follow, in seconds since 1970.
    pub subscribed_at: Option<i64>,
    /// When they were found to have left.
    pub unfollowed_at: Option<i64>,
    /// How they came.
    pub subscribe_scene: Option<String>,
    /// Their language.
    pub language: Option<String>,
    /// The operator's note.
    pub remark: Option<String>,
    /// The operator's tags, as a JSON array.
    pub tag_ids: Option<String>,
    /// The number in the QR code they came by.
    pub qr_scene: Option<i64>,
    /// The text in that QR code.
    pub qr_scene_text: Option<String>,
    /// When WeChat said what stands here.
    pub profile_at: i64,
}

const SELECT: &str = "SELECT id, account_id, openid, unionid, subscribed, subscribed_at, unfollowed_at, \
                      subscribe_scene, language, remark, tag_ids, qr_scene, qr_scene_text, profile_at \
                      FROM follower";

/// Followers by ascending row id above `after`, at most `limit`; and the row id after which to go on,
/// `None` where there is nobody left.
pub async fn list_page(
    connection: &impl Connection,
    filter: &Filter,
    after: u64,
    limit: u64,
) -> Result<(Vec<Shown>, Option<u64>), Error> {
    let (mut page, mut after, mut looked_at) = (Vec::new(), after, 0);
    let mut step = limit + 1;
    loop {
        let (rows, last) = find_step(connection, after, step).await?;
        let Some(last) = last else { return Ok((page, None)) };
        // One more than asked for tells whether there is a next page.
        let wanted = limit + 1 - page.len() as u64;
        page.extend(list_within(connection, filter, after, last, wanted).await?);
        if page.len() as u64 > limit {
            page.truncate(limit as usize);
            let next = page.last().map(|shown| shown.id);
            return Ok((page, next));
        }
        looked_at += rows;
        if rows < step {
            return Ok((page, None));
        }
        if looked_at >= MOST_ROWS {
            return Ok((page, Some(last)));
        }
        after = last;
        step = (step * 4).min(LARGEST_STEP);
    }
}

/// How many rows there are above `after`, up to `most`, and the highest id of those.
async fn find_step(
    connection: &impl Connection,
    after: u64,
    most: u64,
) -> Result<(u64, Option<u64>), Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT COUNT(*), MAX(id) FROM (SELECT id FROM follower WHERE id > ");
    sql.bind(after.cast_signed()).push(" ORDER BY id LIMIT ").bind(most.cast_signed());
    sql.push(") step");
    let row = connection.query_one_raw(sql.into_statement()).await?;
    let row = row.ok_or_else(|| Error::unexpected("a count gave no row"))?;
    let (rows, last): (i64, Option<i64>) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    Ok((rows.cast_unsigned(), last.map(i64::cast_unsigned)))
}

async fn list_within(
    connection: &impl Connection,
    filter: &Filter,
    after: u64,
    last: u64,
    limit: u64,
) -> Result<Vec<Shown>, Error> {
    let mut sql = Sql::new(connection);
    sql.push(SELECT).push(" WHERE id > ").bind(after.cast_signed());
    // Along the row ids, instead of sorting all of the accounts' rows.
    sql.push(" AND id <= ").bind(last.cast_signed()).push(" AND ").past_index();
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

fn shown(row: &QueryResult) -> Result<Shown, Error> {
    Ok(Shown {
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
