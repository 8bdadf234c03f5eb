//! The committed pages of open runs.

use entity::sync_page;
use roaring::RoaringTreemap;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::model::{OpenId, RunId};
use crate::store::{Connection, Error};

/// The data of a committed page that a resumed run needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The cursor of the next page, as returned with this page.
    pub next_openid: String,
    /// The row ids of followers on the page that were already known.
    pub seen: RoaringTreemap,
    /// Followers listed so far whose profiles are still to be fetched.
    pub deferred: Vec<OpenId>,
}

/// Stores a page of an open run. Replaces an existing page with the same number, so that a commit whose
/// acknowledgement was lost can be repeated.
pub async fn insert_page(
    connection: &impl Connection,
    run: RunId,
    number: u64,
    page: &Page,
) -> Result<(), Error> {
    let mut seen = Vec::with_capacity(page.seen.serialized_size());
    page.seen
        .serialize_into(&mut seen)
        .map_err(|_| Error::unexpected("a set of row ids cannot be serialised"))?;
    let deferred = serde_json::to_string(&page.deferred)
        .map_err(|_| Error::unexpected("a list of openids cannot be serialised"))?;
    let row = sync_page::ActiveModel {
        run_id: ActiveValue::set(run),
        page: ActiveValue::set(number.cast_signed()),
        next_openid: ActiveValue::set(page.next_openid.clone()),
        seen: ActiveValue::set(seen),
        deferred: ActiveValue::set(deferred),
    };
    let mut conflict = OnConflict::columns([sync_page::Column::RunId, sync_page::Column::Page]);
    conflict.update_columns([
        sync_page::Column::NextOpenid,
        sync_page::Column::Seen,
        sync_page::Column::Deferred,
    ]);
    sync_page::Entity::insert(row).on_conflict(conflict).exec_without_returning(connection).await?;
    Ok(())
}

/// Returns the committed pages of a run, in order.
pub async fn list_pages(connection: &impl Connection, run: RunId) -> Result<Vec<Page>, Error> {
    let pages = sync_page::Entity::find()
        .filter(sync_page::Column::RunId.eq(run))
        .order_by_asc(sync_page::Column::Page)
        .all(connection)
        .await?;
    pages.into_iter().map(page).collect()
}

fn page(row: sync_page::Model) -> Result<Page, Error> {
    let corrupt = || Error::unexpected("a page of the checkpoint is corrupt");
    let seen = RoaringTreemap::deserialize_from(row.seen.as_slice()).map_err(|_| corrupt())?;
    let deferred = serde_json::from_str(&row.deferred).map_err(|_| corrupt())?;
    Ok(Page { next_openid: row.next_openid, seen, deferred })
}

/// Deletes the pages of a run that will not be resumed.
pub async fn delete_pages(connection: &impl Connection, run: RunId) -> Result<(), Error> {
    sync_page::Entity::delete_many()
        .filter(sync_page::Column::RunId.eq(run))
        .exec(connection)
        .await?;
    Ok(())
}
