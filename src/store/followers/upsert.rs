//! Writing followers: many rows a statement, safe to repeat, never blanking a unionid.

use sea_orm::{DbBackend, Value};

use crate::model::Profile;
use crate::store::sql::Sql;
use crate::store::{AccountId, Connection, Error};

/// What is written of one follower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What WeChat said.
    pub profile: Profile,
    /// A single look-up confirmed that WeChat gives no unionid.
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

/// Columns that a newer profile replaces; a unionid is only ever added to or replaced, and
/// `created_at` stays.
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

/// Rows a statement. More brings nothing, and the text of a full statement stays prepared.
const ROWS_PER_STATEMENT: usize = 500;

/// Inserts followers or brings them up to date, as WeChat told them at `profile_at`. A row with an
/// event since then keeps what it has.
///
/// Writing the same rows again changes nothing. Rows sorted by openid are written faster.
pub async fn upsert(
    connection: &impl Connection,
    account: AccountId,
    rows: &[Row],
    profile_at: i64,
) -> Result<(), Error> {
    let most = ROWS_PER_STATEMENT.min(Sql::bind_limit(connection) / COLUMNS.len());
    for chunk in rows.chunks(most) {
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
        // No condition on the whole row here, so each column carries it.
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
