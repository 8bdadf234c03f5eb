//! Writes followers, many rows per statement. Writes are idempotent and never remove a unionid.

use sea_orm::{DbBackend, Value};

use crate::model::Profile;
use crate::store::sql::Sql;
use crate::store::{AccountId, Connection, Error};

/// The data of one follower to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The profile that WeChat returned.
    pub profile: Profile,
    /// Whether a single lookup confirmed that WeChat returns no unionid for the user.
    pub unionid_absent: bool,
}

const COLUMNS: [&str; 16] = [
    "account_id",
    "openid",
    "unionid",
    "subscribed",
    "subscribed_at",
    "subscribe_scene",
    "language",
    "remark",
    "tag_ids",
    "qr_scene",
    "qr_scene_text",
    "digest",
    "profile_at",
    "unfollowed_at",
    "unionid_absent_at",
    "created_at",
];

/// Columns that a newer profile overwrites. A unionid is only added or replaced, never removed, and
/// `created_at` never changes.
const REPLACED: [&str; 12] = [
    "subscribed",
    "subscribed_at",
    "subscribe_scene",
    "language",
    "remark",
    "tag_ids",
    "qr_scene",
    "qr_scene_text",
    "digest",
    "unfollowed_at",
    "unionid_absent_at",
    "profile_at",
];

/// More rows per statement are no faster. A full statement has the same text each time and stays prepared.
const ROWS_PER_STATEMENT: usize = 500;

/// Inserts or updates followers with the profiles that WeChat returned at `profile_at` (ms). Rows with an
/// event since then are not changed.
///
/// Writing the same rows again changes nothing. Rows that are sorted by openid are written faster.
pub async fn upsert(
    connection: &impl Connection,
    account: AccountId,
    rows: &[Row],
    profile_at: i64,
) -> Result<(), Error> {
    let chunk_size = ROWS_PER_STATEMENT.min(Sql::bind_limit(connection) / COLUMNS.len());
    for chunk in rows.chunks(chunk_size) {
        let mut sql = Sql::new(connection);
        sql.reserve(1_200 + chunk.len() * 80, chunk.len() * COLUMNS.len());
        sql.push("INSERT INTO follower (").push(&COLUMNS.join(", ")).push(") VALUES ");
        for (index, row) in chunk.iter().enumerate() {
            sql.push(if index == 0 { "" } else { "," });
            sql.bind_list(values(account, row, profile_at));
        }
        let conflict = on_conflict(sql.backend());
        sql.push(&conflict);
        connection.execute_raw(sql.into_statement()).await?;
    }
    Ok(())
}

fn values(account: AccountId, row: &Row, profile_at: i64) -> [Value; COLUMNS.len()] {
    let profile = &row.profile;
    let tag_ids = (!profile.tag_ids.is_empty()).then(|| format!("{:?}", profile.tag_ids));
    [
        account.into(),
        profile.openid.as_str().into(),
        profile.unionid.as_ref().map(|unionid| unionid.as_str()).into(),
        profile.subscribed.into(),
        profile.subscribed_at.into(),
        profile.subscribe_scene.as_deref().into(),
        profile.language.as_deref().into(),
        profile.remark.as_deref().into(),
        tag_ids.into(),
        profile.qr_scene.into(),
        profile.qr_scene_text.as_deref().into(),
        profile.digest().into(),
        profile_at.into(),
        (!profile.subscribed).then_some(profile_at).into(),
        row.unionid_absent.then_some(profile_at).into(),
        profile_at.into(),
    ]
}

fn on_conflict(backend: DbBackend) -> String {
    if backend == DbBackend::MySql {
        // MySQL supports no condition on the whole row, so each column repeats it.
        let newer = "event_at < VALUES(profile_at)";
        let unionid = format!("unionid = IF({newer}, COALESCE(VALUES(unionid), unionid), unionid)");
        let columns = REPLACED.map(|name| format!("{name} = IF({newer}, VALUES({name}), {name})"));
        return format!(" ON DUPLICATE KEY UPDATE {unionid}, {}", columns.join(", "));
    }
    let columns = REPLACED.map(|name| format!("{name} = excluded.{name}"));
    format!(
        " ON CONFLICT (account_id, openid) DO UPDATE SET \
         unionid = COALESCE(excluded.unionid, follower.unionid), {} \
         WHERE follower.event_at < excluded.profile_at",
        columns.join(", ")
    )
}
