//! Messages by the page.
//!
//! Of each account the ids are looked up first, so that what the messages say is read for one page alone.

use entity::message::{Column, Entity};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder};

use super::{Message, message};
use crate::model::{MessageId, MessageState, OpenId, TemplateId, UnionId};
use crate::store::sql::Sql;
use crate::store::{AccountId, Connection, Error};

/// Which messages are listed; an empty one lists all of these accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Sent by one of these; none lists nothing.
    pub accounts: Vec<AccountId>,
    /// In this state.
    pub state: Option<MessageState>,
    /// A message that is queued, and for which an answer has been owed since before this, is unknown.
    pub owed_before: i64,
    /// By this template.
    pub template_id: Option<TemplateId>,
    /// To this person, in the account that sent.
    pub openid: Option<OpenId>,
    /// To this person, across accounts.
    pub unionid: Option<UnionId>,
}

/// The part of a state that one index leads to.
#[derive(Clone, Copy)]
enum Part {
    /// Whatever the state.
    Any,
    /// This state as it is stored.
    Stored(MessageState),
    /// Queued, and nobody can expect an answer any more.
    Owed,
}

impl Filter {
    fn parts(&self) -> &'static [Part] {
        match self.state {
            None => &[Part::Any],
            Some(MessageState::Queued) => &[Part::Stored(MessageState::Queued)],
            Some(MessageState::Sent) => &[Part::Stored(MessageState::Sent)],
            Some(MessageState::Delivered) => &[Part::Stored(MessageState::Delivered)],
            Some(MessageState::Failed) => &[Part::Stored(MessageState::Failed)],
            Some(MessageState::Unknown) => &[Part::Stored(MessageState::Unknown), Part::Owed],
        }
    }
}

/// The newest messages first, from below `before` on.
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
    ids.sort_unstable_by(|one, other| other.cmp(one));
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
    narrow(&mut sql, part, filter.owed_before);
    if let Some(template_id) = template_id {
        sql.push(" AND ");
        if filter.state.is_some_and(is_rare) {
            // There are fewer messages in this state than by a template.
            sql.past_index();
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
        // A person has few messages: they are found by the person, and put in order.
        sql.past_index();
    }
    sql.push("id DESC LIMIT ").bind(limit.cast_signed());
    let rows = connection.query_all_raw(sql.into_statement()).await?;
    rows.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}

/// Whether an index leads to the messages in this state alone.
fn is_rare(state: MessageState) -> bool {
    matches!(state, MessageState::Queued | MessageState::Failed | MessageState::Unknown)
}

/// Names a state in the words of the index that leads to it: messages that wait are due some time, and
/// those that met with trouble have a reason.
fn narrow(sql: &mut Sql, part: Part, owed_before: i64) {
    let state = match part {
        Part::Any => return,
        Part::Stored(state) => state,
        Part::Owed => MessageState::Queued,
    };
    sql.push(" AND state = ").bind(state.as_str());
    let has_partial = sql.backend() != DbBackend::MySql;
    match (part, state) {
        (Part::Owed, _) => sql.push(" AND due_at IS NOT NULL AND sending_at < ").bind(owed_before),
        (_, MessageState::Queued) => {
            sql.push(" AND due_at IS NOT NULL AND (sending_at IS NULL OR sending_at >= ");
            sql.bind(owed_before).push(")")
        }
        (_, MessageState::Failed | MessageState::Unknown) if has_partial => {
            sql.push(" AND reason IS NOT NULL")
        }
        _ => sql,
    };
}
