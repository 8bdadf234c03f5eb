//! Quarantined openids, which WeChat lists but returns no profile for, and changed unionids.

use std::collections::HashSet;

use entity::quarantine::{ActiveModel, Column, Entity};
use entity::unionid_conflict;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue, ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::{AccountId, Connection, Error};
use crate::model::{OpenId, RunId, UnionId};

/// Stored openids are truncated to this length, since a malformed one may have any length.
const MAX_OPENID_CHARS: usize = 64;

/// A quarantined openid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The openid as WeChat listed it, possibly malformed.
    pub openid: String,
    /// WeChat's error, or why the openid is malformed.
    pub reason: String,
}

/// Returns all quarantined openids of the account.
pub async fn list(
    connection: &impl Connection,
    account: AccountId,
) -> Result<HashSet<String>, Error> {
    let openids = Entity::find()
        .select_only()
        .column(Column::Openid)
        .filter(Column::AccountId.eq(account))
        .into_tuple::<String>()
        .all(connection)
        .await?;
    Ok(openids.into_iter().collect())
}

/// Quarantines openids since `since_at` (ms). An openid that is already quarantined keeps its date and gets
/// the new reason.
pub async fn record(
    connection: &impl Connection,
    account: AccountId,
    run: RunId,
    entries: &[Entry],
    since_at: i64,
) -> Result<(), Error> {
    for entry in entries {
        let row = ActiveModel {
            account_id: ActiveValue::set(account),
            openid: ActiveValue::set(storable(&entry.openid)),
            reason: ActiveValue::set(entry.reason.replace('\0', "")),
            run_id: ActiveValue::set(run),
            since_at: ActiveValue::set(since_at),
        };
        let mut conflict = OnConflict::columns([Column::AccountId, Column::Openid]);
        conflict.update_columns([Column::Reason, Column::RunId]);
        Entity::insert(row).on_conflict(conflict).exec_without_returning(connection).await?;
    }
    Ok(())
}

/// Removes control characters and truncates. PostgreSQL rejects NUL in text, and the other control characters
/// are of no use.
fn storable(openid: &str) -> String {
    openid.chars().filter(|letter| !letter.is_control()).take(MAX_OPENID_CHARS).collect()
}

/// Releases openids for which WeChat returns profiles again.
pub async fn release(
    connection: &impl Connection,
    account: AccountId,
    openids: &[OpenId],
) -> Result<(), Error> {
    if openids.is_empty() {
        return Ok(());
    }
    Entity::delete_many()
        .filter(Column::AccountId.eq(account))
        .filter(Column::Openid.is_in(openids.iter().map(OpenId::as_str)))
        .exec(connection)
        .await?;
    Ok(())
}

/// A unionid that WeChat changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The user's openid in the account.
    pub openid: OpenId,
    /// The unionid that was known.
    pub old: UnionId,
    /// The unionid that a single lookup confirmed.
    pub new: UnionId,
}

/// Records changed unionids, so that every change can be noticed. Keeps only the latest change of each run
/// and user. `confirmed_at` is in ms.
pub async fn record_conflicts(
    connection: &impl Connection,
    account: AccountId,
    run: RunId,
    conflicts: &[Conflict],
    confirmed_at: i64,
) -> Result<(), Error> {
    for conflict in conflicts {
        let row = unionid_conflict::ActiveModel {
            account_id: ActiveValue::set(account),
            openid: ActiveValue::set(conflict.openid.to_string()),
            old_unionid: ActiveValue::set(conflict.old.to_string()),
            new_unionid: ActiveValue::set(conflict.new.to_string()),
            run_id: ActiveValue::set(run),
            confirmed_at: ActiveValue::set(confirmed_at),
            ..Default::default()
        };
        let mut repeated = OnConflict::columns([
            unionid_conflict::Column::RunId,
            unionid_conflict::Column::AccountId,
            unionid_conflict::Column::Openid,
        ]);
        repeated.update_columns([
            unionid_conflict::Column::NewUnionid,
            unionid_conflict::Column::ConfirmedAt,
        ]);
        unionid_conflict::Entity::insert(row)
            .on_conflict(repeated)
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}
