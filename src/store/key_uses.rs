//! The request rate of each API key with a limit at each process, so that processes share the limit.

use entity::key_use::{Column, Entity};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter};

use super::sql::Sql;
use super::{Connection, Error};

pub use entity::key_use::Model as KeyUse;

/// Returns the rates that all processes reported within the last `within_ms`.
pub async fn list(connection: &impl Connection, within_ms: i64) -> Result<Vec<KeyUse>, Error> {
    let mut sql = Sql::new(connection);
    let clock = sql.clock();
    sql.push("SELECT holder, key_id, per_minute, told_at FROM key_use");
    sql.push(" WHERE told_at > ").push(clock).push(" - ").bind(within_ms);
    Ok(Entity::find().from_raw_sql(sql.into_statement()).all(connection).await?)
}

/// Reports how many requests per minute a process receives with each of these keys.
pub async fn upsert(
    connection: &impl Connection,
    holder: &str,
    uses: &[(&str, i64)],
) -> Result<(), Error> {
    if uses.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::new(connection);
    let clock = sql.clock();
    sql.push("INSERT INTO key_use (holder, key_id, per_minute, told_at) VALUES ");
    for (index, (key_id, per_minute)) in uses.iter().enumerate() {
        sql.push(if index > 0 { ", (" } else { "(" }).bind(holder).push(", ").bind(*key_id);
        sql.push(", ").bind(*per_minute).push(", ").push(clock).push(")");
    }
    sql.push(match sql.backend() {
        DbBackend::MySql => {
            " ON DUPLICATE KEY UPDATE per_minute = VALUES(per_minute), told_at = VALUES(told_at)"
        }
        _ => {
            " ON CONFLICT (holder, key_id) DO UPDATE SET \
             per_minute = excluded.per_minute, told_at = excluded.told_at"
        }
    });
    connection.execute_raw(sql.into_statement()).await?;
    Ok(())
}

/// Deletes the rates that were reported more than `age_ms` ago.
pub async fn delete_older(connection: &impl Connection, age_ms: i64) -> Result<(), Error> {
    let mut sql = Sql::new(connection);
    let clock = sql.clock();
    sql.push("DELETE FROM key_use WHERE told_at < ").push(clock).push(" - ").bind(age_ms);
    connection.execute_raw(sql.into_statement()).await?;
    Ok(())
}

/// Deletes the rates that the process reported.
pub async fn delete_of(connection: &impl Connection, holder: &str) -> Result<(), Error> {
    Entity::delete_many().filter(Column::Holder.eq(holder)).exec(connection).await?;
    Ok(())
}
