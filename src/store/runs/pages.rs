//! The committed pages of runs that can still go on.

use entity::sync_page;
use roaring::RoaringTreemap;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::model::{OpenId, RunId};
use crate::store::{Connection, Error};

/// A committed page, as a resumed run needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// What the page gave to ask for the next one.
    pub next_openid: String,
    /// Row ids of the followers on it that were known.
    pub seen: RoaringTreemap,
    /// Followers listed so far that are still to be asked for.
    pub deferred: Vec<OpenId>,
}

/// Keeps a page of an open run; a page that is there already is replaced, so that a commit whose
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
        .map_err(|_| Error::unexpected("a set of row ids does not serialise"))?;
    let deferred = serde_json::to_string(&page.deferred)
        .map_err(|_| Error::unexpected("a list of openids does not serialise"))?;
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

/// The committed pages of a run, in order.
pub async fn list_pages(connection: &impl Connection, run: RunId) -> Result<Vec<Page>, Error> {
    let pages = sync_page::Entity::find()
        .filter(sync_page::Column::RunId.eq(run))
        .order_by_asc(sync_page::Column::Page)
        .all(connection)
        .await?;
    pages.into_iter().map(page).collect()
}

fn page(row: sync_page::Model) -> Result<Page, Error> {
    let damaged = || Error::unexpected("a page of the checkpoint is damaged");
    let seen = RoaringTreemap::deserialize_from(row.seen.as_slice()).map_err(|_| damaged())?;
    let deferred = serde_json::from_str(&row.deferred).map_err(|_| damaged())?;
    Ok(Page { next_openid: row.next_openid, seen, deferred })
}

/// Drops the pages of a run that will not go on.
pub async fn delete_pages(connection: &impl Connection, run: RunId) -> Result<(), Error> {
    sync_page::Entity::delete_many()
        .filter(sync_page::Column::RunId.eq(run))
        .exec(connection)
        .await?;
    Ok(())
}
