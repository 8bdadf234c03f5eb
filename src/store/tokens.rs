//! Sealed access tokens, one row per account.

use entity::access_token::{ActiveModel, Column, Entity};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue, EntityTrait, QuerySelect};

use super::{Connection, Error, Store};
use crate::model::AppId;

pub use entity::access_token::Model as SealedToken;

/// Finds the account's token, if one was ever stored.
pub async fn find(
    connection: &impl Connection,
    appid: &AppId,
) -> Result<Option<SealedToken>, Error> {
    Ok(Entity::find_by_id(appid.as_str()).one(connection).await?)
}

/// Stores a token. Returns `false` if a token that was fetched under a later lease is already stored.
pub async fn record(store: &Store, token: &SealedToken) -> Result<bool, Error> {
    let transaction = store.begin().await?;
    // Locked, so that a process that slept between reading and writing does not overwrite a newer token.
    let stored = Entity::find_by_id(&token.appid).lock_exclusive().one(&transaction).await?;
    if stored.is_some_and(|stored| stored.fence > token.fence) {
        return Ok(false);
    }
    let mut conflict = OnConflict::column(Column::Appid);
    conflict.update_columns([
        Column::Sealed,
        Column::ObtainedAt,
        Column::ExpiresAt,
        Column::Fence,
        Column::Refusals,
        Column::RefusedSinceAt,
    ]);
    let row = ActiveModel {
        appid: ActiveValue::set(token.appid.clone()),
        sealed: ActiveValue::set(token.sealed.clone()),
        obtained_at: ActiveValue::set(token.obtained_at),
        expires_at: ActiveValue::set(token.expires_at),
        fence: ActiveValue::set(token.fence),
        refusals: ActiveValue::set(token.refusals),
        refused_since_at: ActiveValue::set(token.refused_since_at),
    };
    Entity::insert(row).on_conflict(conflict).exec_without_returning(&transaction).await?;
    transaction.commit().await?;
    Ok(true)
}
