//! Counts followers and users by account. Each count scans a whole table, so it must not run for every
//! request.

use std::collections::HashMap;

use super::sql::Sql;
use super::{AccountId, Connection, Error};

/// Follower counts of an Official Account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Followers {
    /// Current followers.
    pub following: u64,
    /// Current followers whose unionid is known.
    pub with_unionid: u64,
    /// Past followers.
    pub unfollowed: u64,
}

/// User counts of a Mini Program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Users {
    /// Users who logged in.
    pub all: u64,
    /// Users whose unionid is known.
    pub with_unionid: u64,
}

/// Counts present and past followers by account.
pub async fn count_followers(
    connection: &impl Connection,
) -> Result<HashMap<AccountId, Followers>, Error> {
    let columns = "COUNT(CASE WHEN subscribed THEN 1 END), \
                   COUNT(CASE WHEN subscribed AND unionid IS NOT NULL THEN 1 END), \
                   COUNT(CASE WHEN NOT subscribed THEN 1 END)";
    let counts = count(connection, "follower", columns).await?;
    let followers = |[following, with_unionid, unfollowed]: [u64; 3]| Followers {
        following,
        with_unionid,
        unfollowed,
    };
    Ok(counts.into_iter().map(|(account, counts)| (account, followers(counts))).collect())
}

/// Counts Mini Program users by account.
pub async fn count_users(connection: &impl Connection) -> Result<HashMap<AccountId, Users>, Error> {
    let counts = count(connection, "mini_program_user", "COUNT(*), COUNT(unionid)").await?;
    let users = |[all, with_unionid]: [u64; 2]| Users { all, with_unionid };
    Ok(counts.into_iter().map(|(account, counts)| (account, users(counts))).collect())
}

async fn count<const N: usize>(
    connection: &impl Connection,
    table: &str,
    columns: &str,
) -> Result<Vec<(AccountId, [u64; N])>, Error> {
    let mut sql = Sql::new(connection);
    // Scans the table: a scan of the index by account would need a table lookup for each row.
    sql.push("SELECT ").skip_index().push("account_id, ").push(columns);
    sql.push(" FROM ").push(table).push(" GROUP BY ").skip_index().push("account_id");
    let mut counts = Vec::new();
    for row in connection.query_all_raw(sql.into_statement()).await? {
        let mut of_account = [0; N];
        for (index, count) in of_account.iter_mut().enumerate() {
            *count = row.try_get_by_index::<i64>(index + 1)?.cast_unsigned();
        }
        counts.push((row.try_get_by_index(0)?, of_account));
    }
    Ok(counts)
}
