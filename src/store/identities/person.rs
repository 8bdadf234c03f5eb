//! Lists all accounts in which a user is known.

use super::{FOLLOW, Follow, Source, follow};
use crate::model::{OpenId, UnionId};
use crate::store::sql::Sql;
use crate::store::{AccountId, Connection, Error, parsed};

/// A user of a Mini Program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's openid in that Mini Program.
    pub openid: OpenId,
    /// When the user last logged in, in ms.
    pub login_at: i64,
}

/// Returns the Official Accounts that the user follows or followed.
pub async fn list_follows(
    connection: &impl Connection,
    unionid: &UnionId,
) -> Result<Vec<(AccountId, Follow)>, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT f.account_id, ").push(FOLLOW).push("f.account_id) FROM follower f");
    sql.push(" WHERE f.unionid = ").bind(unionid.as_str()).push(" ORDER BY f.account_id, f.id");
    let mut follows = Vec::new();
    for row in connection.query_all_raw(sql.into_statement()).await? {
        let account = row.try_get_by_index(0)?;
        follows.extend(follow(&row, 1)?.map(|follow| (account, follow)));
    }
    Ok(follows)
}

/// Returns the Mini Programs that the user logged in to.
pub async fn list_logins(
    connection: &impl Connection,
    unionid: &UnionId,
) -> Result<Vec<(AccountId, Login)>, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT account_id, openid, login_at FROM ").push(Source::MiniProgram.table());
    sql.push(" WHERE unionid = ").bind(unionid.as_str()).push(" ORDER BY account_id, id");
    let mut logins = Vec::new();
    for row in connection.query_all_raw(sql.into_statement()).await? {
        let openid = parsed(row.try_get_by_index(1)?)?;
        let login_at = row.try_get_by_index(2)?;
        logins.push((row.try_get_by_index(0)?, Login { openid, login_at }));
    }
    Ok(logins)
}
