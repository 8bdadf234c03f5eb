//! Estimates from samples whether two accounts share users. No statement here scans a whole table.

use sea_orm::DbBackend;

use super::sql::Sql;
use super::{AccountId, Connection, Error, parsed};
use crate::model::UnionId;

/// Which users of an account to sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Present and past followers of an Official Account.
    Followers,
    /// Users of a Mini Program.
    Users,
}

impl Side {
    fn table(self) -> &'static str {
        match self {
            Self::Followers => "follower",
            Self::Users => "mini_program_user",
        }
    }
}

/// Returns the known unionids of the first `limit` users of the account in the order of openids, which is
/// random.
pub async fn sample_unionids(
    connection: &impl Connection,
    side: Side,
    account: AccountId,
    limit: u64,
) -> Result<Vec<UnionId>, Error> {
    let mut sql = Sql::new(connection);
    // The limit is in the subquery: otherwise an account without any unionid would be scanned to its end.
    sql.push("SELECT unionid FROM (SELECT unionid FROM ").push(side.table());
    sql.push(" WHERE account_id = ").bind(account).push(" LIMIT ").bind(limit.cast_signed());
    sql.push(") sample WHERE unionid IS NOT NULL");
    let rows = connection.query_all_raw(sql.into_statement()).await?;
    rows.iter().map(|row| parsed(row.try_get_by_index(0)?)).collect()
}

/// Whether any user of the account has one of `unionids`. Takes one index lookup for each.
pub async fn has_any(
    connection: &impl Connection,
    side: Side,
    account: AccountId,
    unionids: &[UnionId],
) -> Result<bool, Error> {
    for chunk in unionids.chunks(Sql::bind_limit(connection) - 1) {
        let mut sql = Sql::new(connection);
        sql.push("SELECT 1 FROM ").push(side.table()).push(" WHERE unionid IN ");
        sql.bind_list(chunk.iter().map(UnionId::as_str));
        sql.push(" AND account_id = ").bind(account).push(" LIMIT 1");
        if connection.query_one_raw(sql.into_statement()).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The number of changed unionids that the account's runs since `at` (ms) counted.
pub async fn count_conflicts_in_runs(
    connection: &impl Connection,
    account: AccountId,
    at: i64,
) -> Result<u64, Error> {
    let mut sql = Sql::new(connection);
    // A sum is not an integer on PostgreSQL, MariaDB and MySQL, whose integer types have different names.
    let integer = if sql.backend() == DbBackend::MySql { "SIGNED" } else { "BIGINT" };
    sql.push("SELECT CAST(SUM(conflicts) AS ").push(integer);
    sql.push(") FROM sync_run WHERE account_id = ").bind(account);
    sql.push(" AND started_at >= ").bind(at);
    counted(connection, sql).await
}

/// Of the latest `limit` unionid changes in all accounts, the number that belong to this account and were
/// confirmed since `at` (ms).
pub async fn count_conflicts_since(
    connection: &impl Connection,
    account: AccountId,
    at: i64,
    limit: u64,
) -> Result<u64, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT COUNT(*) FROM (SELECT account_id, confirmed_at FROM unionid_conflict");
    sql.push(" ORDER BY id DESC LIMIT ").bind(limit.cast_signed());
    sql.push(") latest WHERE account_id = ").bind(account);
    sql.push(" AND confirmed_at >= ").bind(at);
    counted(connection, sql).await
}

async fn counted(connection: &impl Connection, sql: Sql) -> Result<u64, Error> {
    let row = connection.query_one_raw(sql.into_statement()).await?;
    let count: Option<Option<i64>> = row.map(|row| row.try_get_by_index(0)).transpose()?;
    Ok(count.flatten().unwrap_or(0).cast_unsigned())
}
