//! Lists messages in pages.
//!
//! The ids of each account are looked up first, so that only the messages of one page are read in full.

use entity::message::{Column, Entity};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder};

use super::{Message, message};
use crate::model::{MessageId, MessageState, OpenId, TemplateId, UnionId};
use crate::store::sql::Sql;
use crate::store::{AccountId, Connection, Error};

/// Which messages to list; `None` matches all. The default filter names no account and so lists nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The sending account is one of these.
    pub accounts: Vec<AccountId>,
    /// The state of the message.
    pub state: Option<MessageState>,
    /// A queued message that was sent before this time (ms), and for which WeChat's response is still
    /// pending, counts as unknown.
    pub pending_before: i64,
    /// The template of the message.
    pub template_id: Option<TemplateId>,
    /// The recipient's openid in the sending account.
    pub openid: Option<OpenId>,
    /// The recipient's unionid.
    pub unionid: Option<UnionId>,
}

/// The messages of a state that one index finds.
#[derive(Clone, Copy)]
enum Part {
    /// Messages in any state.
    Any,
    /// Messages with this stored state.
    Stored(MessageState),
    /// Queued messages for which WeChat's response can no longer arrive.
    Overdue,
}

impl Filter {
    fn parts(&self) -> &'static [Part] {
        match self.state {
            None => &[Part::Any],
            Some(MessageState::Queued) => &[Part::Stored(MessageState::Queued)],
            Some(MessageState::Sent) => &[Part::Stored(MessageState::Sent)],
            Some(MessageState::Delivered) => &[Part::Stored(MessageState::Delivered)],
            Some(MessageState::Failed) => &[Part::Stored(MessageState::Failed)],
            Some(MessageState::Unknown) => &[Part::Stored(MessageState::Unknown), Part::Overdue],
        }
    }
}

/// Returns at most `limit` messages with ids below `before`, newest first.
pub async fn list(
    connection: &impl Connection,
    filter: &Filter,
    before: Option<&MessageId>,
    limit: u64,
) -> Result<Vec<Message>, Error> {
    let mut ids: Vec<String> = Vec::new();
    for account in &filter.accounts {
        for part in filter.parts() {
            ids.extend(list_ids(connection, filter, *account, *part, before, limit).await?);
        }
    }
    ids.sort_unstable_by(|left, right| right.cmp(left));
    ids.truncate(limit as usize);
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = Entity::find().filter(Column::Id.is_in(ids)).order_by_desc(Column::Id);
    rows.all(connection).await?.into_iter().map(message).collect()
}

async fn list_ids(
    connection: &impl Connection,
    filter: &Filter,
    account: AccountId,
    part: Part,
    before: Option<&MessageId>,
    limit: u64,
) -> Result<Vec<String>, Error> {
    let Filter { template_id, openid, unionid, .. } = filter;
    let mut sql = Sql::new(connection);
    sql.push("SELECT id FROM message WHERE account_id = ").bind(account);
    narrow(&mut sql, part, filter.pending_before);
    if let Some(template_id) = template_id {
        sql.push(" AND ");
        if filter.state.is_some_and(is_rare) {
            // Fewer messages are in this state than have this template.
            sql.skip_index();
        }
        sql.push("template_id = ").bind(template_id.as_str());
    }
    if let Some(openid) = openid {
        sql.push(" AND openid = ").bind(openid.as_str());
    }
    if let Some(unionid) = unionid {
        sql.push(" AND unionid = ").bind(unionid.as_str());
    }
    if let Some(before) = before {
        sql.push(" AND id < ").bind(before.as_str());
    }
    sql.push(" ORDER BY ");
    if openid.is_some() || unionid.is_some() {
        // A user has few messages: SQLite should find them by user and sort them.
        sql.skip_index();
    }
    sql.push("id DESC LIMIT ").bind(limit.cast_signed());
    let rows = connection.query_all_raw(sql.into_statement()).await?;
    rows.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}

/// Whether there is an index that contains only the messages in this state.
fn is_rare(state: MessageState) -> bool {
    matches!(state, MessageState::Queued | MessageState::Failed | MessageState::Unknown)
}

/// Appends the conditions for a state that match its partial index: queued messages have `due_at`, and
/// failed or unknown messages have `reason`.
fn narrow(sql: &mut Sql, part: Part, pending_before: i64) {
    let state = match part {
        Part::Any => return,
        Part::Stored(state) => state,
        Part::Overdue => MessageState::Queued,
    };
    sql.push(" AND state = ").bind(state.as_str());
    let has_partial = sql.backend() != DbBackend::MySql;
    match (part, state) {
        (Part::Overdue, _) => {
            sql.push(" AND due_at IS NOT NULL AND sending_at < ").bind(pending_before)
        }
        (_, MessageState::Queued) => {
            sql.push(" AND due_at IS NOT NULL AND (sending_at IS NULL OR sending_at >= ");
            sql.bind(pending_before).push(")")
        }
        (_, MessageState::Failed | MessageState::Unknown) if has_partial => {
            sql.push(" AND reason IS NOT NULL")
        }
        _ => sql,
    };
}
