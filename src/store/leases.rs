//! Leases: each grants one process an exclusive task until a time in database time.

use entity::lease::{ActiveModel, Column, Entity};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue, ColumnTrait, EntityTrait, QueryFilter};

use super::sql::Sql;
use super::{Connection, Error, Store};

/// Acquires the lease for `ttl_ms`. Returns its fencing number, which is higher than all earlier ones;
/// `None` if another process holds the lease.
pub async fn try_acquire(
    store: &Store,
    name: &str,
    holder: &str,
    ttl_ms: i64,
) -> Result<Option<i64>, Error> {
    insert_if_absent(store, name).await?;
    let transaction = store.begin().await?;
    let mut sql = Sql::new(&transaction);
    let clock = sql.clock();
    sql.push("UPDATE lease SET holder = ").bind(holder);
    sql.push(", fence = fence + 1, expires_at = ").push(clock).push(" + ").bind(ttl_ms);
    sql.push(" WHERE name = ").bind(name).push(" AND expires_at <= ").push(clock);
    if transaction.execute_raw(sql.into_statement()).await?.rows_affected() == 0 {
        return Ok(None);
    }
    let lease = Entity::find_by_id(name).one(&transaction).await?;
    transaction.commit().await?;
    Ok(lease.map(|lease| lease.fence))
}

async fn insert_if_absent(store: &Store, name: &str) -> Result<(), Error> {
    if Entity::find_by_id(name).one(store.reader()).await?.is_some() {
        return Ok(());
    }
    let lease = ActiveModel {
        name: ActiveValue::set(name.to_owned()),
        holder: ActiveValue::set(String::new()),
        fence: ActiveValue::set(0),
        expires_at: ActiveValue::set(0),
    };
    let mut conflict = OnConflict::column(Column::Name);
    conflict.do_nothing_on([Column::Name]);
    Entity::insert(lease).on_conflict(conflict).exec_without_returning(store.writer()).await?;
    Ok(())
}

/// Renews the lease for another `ttl_ms`. Returns `false` if the lease was lost.
pub async fn renew(
    connection: &impl Connection,
    name: &str,
    fence: i64,
    ttl_ms: i64,
) -> Result<bool, Error> {
    let mut sql = Sql::new(connection);
    let clock = sql.clock();
    sql.push("UPDATE lease SET expires_at = ").push(clock).push(" + ").bind(ttl_ms);
    sql.push(" WHERE name = ").bind(name).push(" AND fence = ").bind(fence);
    Ok(connection.execute_raw(sql.into_statement()).await?.rows_affected() == 1)
}

/// Releases the lease, so that another process can acquire it immediately.
pub async fn release(connection: &impl Connection, name: &str, fence: i64) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::ExpiresAt, Expr::value(0))
        .col_expr(Column::Holder, Expr::value(""))
        .filter(Column::Name.eq(name))
        .filter(Column::Fence.eq(fence))
        .exec(connection)
        .await?;
    Ok(())
}

/// When the lease expires, in ms; 0 if it was released or never acquired.
pub async fn find_expiry(connection: &impl Connection, name: &str) -> Result<i64, Error> {
    let lease = Entity::find_by_id(name).one(connection).await?;
    Ok(lease.map_or(0, |lease| lease.expires_at))
}

/// Whether any process currently holds the lease.
pub async fn is_held(connection: &impl Connection, name: &str) -> Result<bool, Error> {
    let mut sql = Sql::new(connection);
    let clock = sql.clock();
    sql.push("SELECT 1 FROM lease WHERE name = ").bind(name);
    sql.push(" AND expires_at > ").push(clock);
    Ok(connection.query_one_raw(sql.into_statement()).await?.is_some())
}
