//! API keys: digests of their secrets, their permissions and their expiry.

use entity::api_key::{ActiveModel, Column, Entity};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
};

use super::sql::Sql;
use super::{Connection, Error};

pub use entity::api_key::Model as ApiKey;

/// Returns all keys, including revoked and expired ones, oldest first.
pub async fn list(connection: &impl Connection) -> Result<Vec<ApiKey>, Error> {
    let oldest_first = Entity::find().order_by_asc(Column::CreatedAt).order_by_asc(Column::Id);
    Ok(oldest_first.all(connection).await?)
}

/// Finds a key by its public part.
pub async fn find(connection: &impl Connection, id: &str) -> Result<Option<ApiKey>, Error> {
    Ok(Entity::find_by_id(id).one(connection).await?)
}

/// Stores a new key.
pub async fn insert(connection: &impl Connection, key: ApiKey) -> Result<(), Error> {
    let row: ActiveModel = key.into_active_model().reset_all();
    Entity::insert(row).exec_without_returning(connection).await?;
    Ok(())
}

/// Revokes a key at `at` (ms). Returns `false` if the key was revoked before or does not exist.
pub async fn revoke(connection: &impl Connection, id: &str, at: i64) -> Result<bool, Error> {
    let revoked = Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(at))
        .filter(Column::Id.eq(id))
        .filter(Column::RevokedAt.is_null())
        .exec(connection)
        .await?;
    Ok(revoked.rows_affected == 1)
}

/// Sets the expiry of a key to `at` (ms).
pub async fn expire(connection: &impl Connection, id: &str, at: i64) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::ExpiresAt, Expr::value(at))
        .filter(Column::Id.eq(id))
        .exec(connection)
        .await?;
    Ok(())
}

/// Sets the last use of these keys to the current database time.
pub async fn record_use(connection: &impl Connection, ids: &[&str]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::new(connection);
    let clock = sql.clock();
    sql.push("UPDATE api_key SET last_used_at = ").push(clock).push(" WHERE id IN ");
    sql.bind_list(ids.iter().copied());
    connection.execute_raw(sql.into_statement()).await?;
    Ok(())
}
