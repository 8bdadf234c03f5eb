//! The numbers of accounts, and the locks that coordinate erasures with writers.

use entity::account::{ActiveModel, Column, Entity};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QuerySelect,
};

use super::sql::Sql;
use super::{AccountId, Connection, Error, Store, Transaction};
use crate::model::AppId;

/// Returns the account's number, and assigns one if it has none.
pub async fn find_or_insert(store: &Store, appid: &AppId) -> Result<AccountId, Error> {
    if let Some(id) = find(store.reader(), appid).await? {
        return Ok(id);
    }
    let account = ActiveModel { appid: ActiveValue::set(appid.to_string()), ..Default::default() };
    // Another process may have inserted the account meanwhile.
    let mut conflict = OnConflict::column(Column::Appid);
    conflict.do_nothing_on([Column::Id]);
    Entity::insert(account).on_conflict(conflict).exec_without_returning(store.writer()).await?;
    let id = find(store.writer(), appid).await?;
    id.ok_or_else(|| Error::unexpected("the inserted account was not found"))
}

/// The account's number, if it has one.
pub async fn find(connection: &impl Connection, appid: &AppId) -> Result<Option<AccountId>, Error> {
    let account = Entity::find().filter(Column::Appid.eq(appid.as_str())).one(connection).await?;
    Ok(account.map(|account| account.id))
}

/// When the latest complete crawl of the account's followers began, in ms; `None` if there was none.
pub async fn find_crawled_at(
    connection: &impl Connection,
    account: AccountId,
) -> Result<Option<i64>, Error> {
    let account = Entity::find_by_id(account).one(connection).await?;
    Ok(account.and_then(|account| account.crawled_at))
}

/// Records that a crawl which began at `crawled_at` (ms) was complete. Blocks [`lock_all`] like [`share`].
pub async fn record_crawl(
    connection: &impl Connection,
    account: AccountId,
    crawled_at: i64,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::CrawledAt, crawled_at.into())
        .filter(Column::Id.eq(account))
        .exec(connection)
        .await?;
    Ok(())
}

/// Takes a shared lock on the account. It blocks [`lock_all`] until the transaction ends, but no other
/// shared lock. Must be called before the transaction reads or writes any user of the account: MariaDB and
/// MySQL return the data from the time of the first read, and a later lock could deadlock.
pub async fn share(transaction: &Transaction, account: AccountId) -> Result<(), Error> {
    let mut sql = Sql::new(transaction);
    sql.push("SELECT id FROM account WHERE id = ").bind(account).for_share();
    lock_rows(transaction, sql).await
}

/// Takes the exclusive lock on all accounts. Waits for all shared locks, and blocks new ones until the
/// transaction ends.
pub async fn lock_all(transaction: &Transaction) -> Result<(), Error> {
    let mut sql = Sql::new(transaction);
    sql.push("SELECT id FROM account ORDER BY id").for_update();
    lock_rows(transaction, sql).await
}

/// Locks the selected rows, except on SQLite, where immediate transactions already exclude each other.
async fn lock_rows(transaction: &Transaction, sql: Sql) -> Result<(), Error> {
    if sql.backend() != DbBackend::Sqlite {
        transaction.query_all_raw(sql.into_statement()).await?;
    }
    Ok(())
}

/// The numbers of all accounts that were ever stored, configured or not.
pub async fn list_numbers(connection: &impl Connection) -> Result<Vec<AccountId>, Error> {
    let rows = Entity::find().select_only().column(Column::Id).into_tuple();
    Ok(rows.all(connection).await?)
}
