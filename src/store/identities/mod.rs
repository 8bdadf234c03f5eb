//! Who is who: from an openid of one account to the openid of the same person in another.
//!
//! [`list`] is the look-up that everybody waits for, so it is one statement, of few texts. Knows accounts
//! by their numbers only.

mod person;

use std::collections::{HashMap, HashSet};

use sea_orm::QueryResult;

use super::sql::Sql;
use super::{AccountId, Connection, Error, parsed};
use crate::model::{OpenId, UnionId};

pub use person::{Login, list_follows, list_logins};

/// Openids or unionids a statement. Asked for many more, PostgreSQL would rather read whole tables.
const IDS_PER_STATEMENT: usize = 250;

/// Which table an openid is to be looked up in.
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

/// A known openid, and what it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The person across accounts, once known.
    pub unionid: Option<UnionId>,
    /// The person in the account that was asked about, if they ever followed it.
    pub follow: Option<Follow>,
}

/// A person in an Official Account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follow {
    /// The person there.
    pub openid: OpenId,
    /// Whether they follow.
    pub subscribed: bool,
    /// When WeChat last said so: by a profile, an event, or a complete list of followers.
    pub verified_at: i64,
}

/// Columns of [`Follow`], of a table called `f`; the account's number is bound behind them.
const FOLLOW: &str = "f.openid, f.subscribed, f.profile_at, f.event_at, f.created_at, \
                      f.unfollowed_at, (SELECT crawled_at FROM account WHERE id = ";

/// Where openids of `account` lead in the Official Account `target`; those not known are left out.
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

/// A select of links, up to the column that the openids are compared with.
fn push_links(sql: &mut Sql, source: Source, account: AccountId, target: AccountId) {
    sql.push("SELECT s.openid, s.unionid, ").push(FOLLOW).bind(target).push(") FROM ");
    sql.push(source.table()).push(" s LEFT JOIN follower f ON f.unionid = s.unionid");
    sql.push(" AND f.account_id = ").bind(target);
    sql.push(" WHERE s.account_id = ").bind(account).push(" AND s.openid");
}

/// Two people of one account never share a unionid for long; meanwhile who follows counts.
fn keep_best(best: &mut Option<Link>, link: Link) {
    let rank =
        |link: &Link| link.follow.as_ref().map(|follow| (follow.subscribed, follow.verified_at));
    if best.as_ref().is_none_or(|best| rank(best) < rank(&link)) {
        *best = Some(link);
    }
}

/// Where unionids lead in the Official Account `target`.
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

/// Which of `unionids` are known in any account.
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

/// A row whose unionid is in column `at`, with a follow behind it.
fn link(row: &QueryResult, at: usize) -> Result<Link, Error> {
    let unionid: Option<String> = row.try_get_by_index(at)?;
    Ok(Link { unionid: unionid.map(parsed).transpose()?, follow: follow(row, at + 1)? })
}

/// The columns of [`FOLLOW`] from `at` on; `None` where the join found nobody.
fn follow(row: &QueryResult, at: usize) -> Result<Option<Follow>, Error> {
    let Some(openid) = row.try_get_by_index::<Option<String>>(at)? else { return Ok(None) };
    let subscribed: bool = row.try_get_by_index(at + 1)?;
    let told_at: [i64; 3] = [
        row.try_get_by_index(at + 2)?,
        row.try_get_by_index(at + 3)?,
        row.try_get_by_index(at + 4)?,
    ];
    let unfollowed_at: Option<i64> = row.try_get_by_index(at + 5)?;
    let crawled_at: Option<i64> = row.try_get_by_index(at + 6)?;
    let [profile_at, event_at, created_at] = told_at;
    // A complete list held everybody who was known before it and counts as following since.
    let listed_at = crawled_at.filter(|crawled_at| subscribed && created_at < *crawled_at);
    let told = [Some(profile_at), Some(event_at), listed_at, unfollowed_at];
    let verified_at = told.into_iter().flatten().max().unwrap_or_default();
    Ok(Some(Follow { openid: parsed(openid)?, subscribed, verified_at }))
}
