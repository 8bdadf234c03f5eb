//! API keys: digests of their secrets, what each may do, and until when.

use entity::api_key::{ActiveModel, Column, Entity};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
};

use super::sql::Sql;
use super::{Connection, Error};

pub use entity::api_key::Model as ApiKey;

/// Every key there ever was, the oldest first.
pub async fn list(connection: &impl Connection) -> Result<Vec<ApiKey>, Error> {
    let newest_last = Entity::find().order_by_asc(Column::CreatedAt).order_by_asc(Column::Id);
    Ok(newest_last.all(connection).await?)
}

/// The key with this public part.
pub async fn find(connection: &impl Connection, id: &str) -> Result<Option<ApiKey>, Error> {
    Ok(Entity::find_by_id(id).one(connection).await?)
}

/// Stores a new key.
pub async fn insert(connection: &impl Connection, key: ApiKey) -> Result<(), Error> {
    let row: ActiveModel = key.into_active_model().reset_all();
    Entity::insert(row).exec_without_returning(connection).await?;
    Ok(())
}

/// Ends a key at once. `false` where it was ended before, or there is none.
pub async fn revoke(connection: &impl Connection, id: &str, at: i64) -> Result<bool, Error> {
    let ended = Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(at))
        .filter(Column::Id.eq(id))
        .filter(Column::RevokedAt.is_null())
        .exec(connection)
        .await?;
    Ok(ended.rows_affected == 1)
}

/// Has a key end by itself at that instant.
pub async fn expire(connection: &impl Connection, id: &str, at: i64) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::ExpiresAt, Expr::value(at))
        .filter(Column::Id.eq(id))
        .exec(connection)
        .await?;
    Ok(())
}

/// Records that these keys were used by now.
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
