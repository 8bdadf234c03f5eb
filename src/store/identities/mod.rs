//! Identity lookups: from an openid of one account to the openid of the same user in another account.
//!
//! [`list`] is the lookup on which callers wait, so it is one statement with few different texts, which
//! stay prepared. Knows accounts only by their numbers.

mod person;

use std::collections::{HashMap, HashSet};

use sea_orm::QueryResult;

use super::sql::Sql;
use super::{AccountId, Connection, Error, parsed};
use crate::model::{OpenId, UnionId};

pub use person::{Login, list_follows, list_logins};

/// With many more ids in one statement PostgreSQL scans whole tables.
const IDS_PER_STATEMENT: usize = 250;

/// The table in which to look up an openid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Users of a Mini Program.
    MiniProgram,
    /// Followers of an Official Account.
    OfficialAccount,
}

impl Source {
    fn table(self) -> &'static str {
        match self {
            Self::MiniProgram => "mini_program_user",
            Self::OfficialAccount => "follower",
        }
    }
}

/// What is known about the user of a known openid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The user's unionid, if known.
    pub unionid: Option<UnionId>,
    /// The user in the target account, if the user ever followed it.
    pub follow: Option<Follow>,
}

/// A user as a present or past follower of an Official Account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follow {
    /// The user's openid in that account.
    pub openid: OpenId,
    /// Whether the user follows the account.
    pub subscribed: bool,
    /// When WeChat last confirmed `subscribed` by a profile, an event, or a complete follower list, in ms.
    pub verified_at: i64,
}

/// Columns of [`Follow`] of a table with the alias `f`. The caller appends the account's number.
const FOLLOW: &str = "f.openid, f.subscribed, f.profile_at, f.event_at, f.created_at, \
                      f.unfollowed_at, (SELECT crawled_at FROM account WHERE id = ";

/// Returns what is known about the users of these openids of `account`, including their openid in the
/// Official Account `target`. Omits unknown openids.
pub async fn list(
    connection: &impl Connection,
    source: Source,
    account: AccountId,
    openids: &[&OpenId],
    target: AccountId,
) -> Result<HashMap<OpenId, Link>, Error> {
    let mut found: HashMap<OpenId, Option<Link>> = HashMap::with_capacity(openids.len());
    for chunk in openids.chunks(IDS_PER_STATEMENT) {
        let mut sql = Sql::new(connection);
        push_links(&mut sql, source, account, target);
        sql.push(" IN ").bind_set(chunk.iter().map(|openid| openid.as_str()));
        for row in connection.query_all_raw(sql.into_statement()).await? {
            let openid = parsed(row.try_get_by_index(0)?)?;
            keep_best(found.entry(openid).or_default(), link(&row, 1)?);
        }
    }
    Ok(found.into_iter().filter_map(|(openid, link)| Some((openid, link?))).collect())
}

/// Appends a SELECT of links, up to the openid column in its WHERE clause.
fn push_links(sql: &mut Sql, source: Source, account: AccountId, target: AccountId) {
    sql.push("SELECT s.openid, s.unionid, ").push(FOLLOW).bind(target).push(") FROM ");
    sql.push(source.table()).push(" s LEFT JOIN follower f ON f.unionid = s.unionid");
    sql.push(" AND f.account_id = ").bind(target);
    sql.push(" WHERE s.account_id = ").bind(account).push(" AND s.openid");
}

/// Replaces `best` if `link` is better. While two openids of one account temporarily share a unionid, a
/// present follower takes precedence, then the one verified later.
fn keep_best(best: &mut Option<Link>, link: Link) {
    let rank =
        |link: &Link| link.follow.as_ref().map(|follow| (follow.subscribed, follow.verified_at));
    if best.as_ref().is_none_or(|best| rank(best) < rank(&link)) {
        *best = Some(link);
    }
}

/// Returns the present or past followers of the Official Account `target` with these unionids.
pub async fn list_by_unionids(
    connection: &impl Connection,
    unionids: &[&UnionId],
    target: AccountId,
) -> Result<HashMap<UnionId, Follow>, Error> {
    let mut found: HashMap<UnionId, Option<Link>> = HashMap::with_capacity(unionids.len());
    for chunk in unionids.chunks(IDS_PER_STATEMENT) {
        let mut sql = Sql::new(connection);
        sql.push("SELECT f.unionid, ").push(FOLLOW).bind(target).push(") FROM follower f");
        sql.push(" WHERE f.account_id = ").bind(target).push(" AND f.unionid IN ");
        sql.bind_set(chunk.iter().map(|unionid| unionid.as_str()));
        for row in connection.query_all_raw(sql.into_statement()).await? {
            let unionid: UnionId = parsed(row.try_get_by_index(0)?)?;
            keep_best(found.entry(unionid).or_default(), link(&row, 0)?);
        }
    }
    let follow = |(unionid, link): (_, Option<Link>)| Some((unionid, link?.follow?));
    Ok(found.into_iter().filter_map(follow).collect())
}

/// Returns those of `unionids` that are known in any account.
pub async fn list_known_unionids(
    connection: &impl Connection,
    unionids: &[&UnionId],
) -> Result<HashSet<UnionId>, Error> {
    let mut known = HashSet::new();
    for table in [Source::OfficialAccount, Source::MiniProgram].map(Source::table) {
        for chunk in unionids.chunks(IDS_PER_STATEMENT) {
            let mut sql = Sql::new(connection);
            sql.push("SELECT DISTINCT unionid FROM ").push(table).push(" WHERE unionid IN ");
            sql.bind_set(chunk.iter().map(|unionid| unionid.as_str()));
            for row in connection.query_all_raw(sql.into_statement()).await? {
                known.insert(parsed(row.try_get_by_index(0)?)?);
            }
        }
    }
    Ok(known)
}

/// Reads a link from the columns from `at` on: the unionid, then the columns of [`FOLLOW`].
fn link(row: &QueryResult, at: usize) -> Result<Link, Error> {
    let unionid: Option<String> = row.try_get_by_index(at)?;
    Ok(Link { unionid: unionid.map(parsed).transpose()?, follow: follow(row, at + 1)? })
}

/// Reads the columns of [`FOLLOW`] from `at` on; `None` if the join found no row.
fn follow(row: &QueryResult, at: usize) -> Result<Option<Follow>, Error> {
    let Some(openid) = row.try_get_by_index::<Option<String>>(at)? else { return Ok(None) };
    let subscribed: bool = row.try_get_by_index(at + 1)?;
    let profile_at: i64 = row.try_get_by_index(at + 2)?;
    let event_at: i64 = row.try_get_by_index(at + 3)?;
    let created_at: i64 = row.try_get_by_index(at + 4)?;
    let unfollowed_at: Option<i64> = row.try_get_by_index(at + 5)?;
    let crawled_at: Option<i64> = row.try_get_by_index(at + 6)?;
    // A follower who was stored before a complete crawl and still counts as following was on its list.
    let listed_at = crawled_at.filter(|crawled_at| subscribed && created_at < *crawled_at);
    let confirmed_at = [Some(profile_at), Some(event_at), listed_at, unfollowed_at];
    let verified_at = confirmed_at.into_iter().flatten().max().unwrap_or_default();
    Ok(Some(Follow { openid: parsed(openid)?, subscribed, verified_at }))
}
