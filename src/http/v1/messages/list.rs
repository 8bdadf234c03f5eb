//! `GET /v1/messages` and `GET /v1/messages/{id}`: messages and their states.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::response::MessageResponse;
use super::unknown;
use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::Json;
use crate::http::error::Problem;
use crate::http::paging::{Limit, MessageCursor, Page};
use crate::http::parameters::{Nothing, Path, Query};
use crate::http::v1::accounts;
use crate::model::{AccountKind, AppId, MessageId, MessageState, OpenId, TemplateId, UnionId};
use crate::push::{MessageFilter, MessageView};

/// The page size without a `limit`.
const DEFAULT_LIMIT: u64 = 50;

/// The maximum page size.
const MAX_LIMIT: u64 = 200;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MessagesQuery {
    /// Only messages that this account sends or sent, by its AppID
    #[param(value_type = Option<String>, pattern = r"^[A-Za-z0-9_-]{1,64}$")]
    appid: Option<AppId>,
    /// Only messages in this state
    #[param(value_type = Option<String>, pattern = "^(queued|sent|delivered|failed|unknown)$")]
    state: Option<MessageState>,
    /// Only messages of this template
    #[param(value_type = Option<String>, pattern = r"^[A-Za-z0-9_-]{1,64}$")]
    template_id: Option<TemplateId>,
    /// Only messages to this openid in the account that sends
    #[param(value_type = Option<String>, pattern = r"^[A-Za-z0-9_-]{1,64}$")]
    openid: Option<OpenId>,
    /// Only messages to the user with this unionid
    #[param(value_type = Option<String>, pattern = r"^[A-Za-z0-9_-]{1,64}$")]
    unionid: Option<UnionId>,
    /// The maximum number of entries on the page; 50 by default
    #[param(value_type = Option<u64>, minimum = 1, maximum = 200)]
    limit: Option<Limit<MAX_LIMIT>>,
    /// The `next_cursor` of the previous page; left out for the first page
    #[param(value_type = Option<String>, pattern = "^m[0-9a-f]{32}$")]
    cursor: Option<MessageCursor>,
}

/// List messages
///
/// The newest messages first, of all configured accounts that the API key may access.
#[utoipa::path(
    get, path = "/v1/messages", tag = "messages", security(("api_key" = ["push"])),
    params(MessagesQuery),
    responses(
        (status = 200, body = Page<MessageResponse>),
        (status = 404, description = "`account_unknown`: the account is not configured"),
    )
)]
pub(super) async fn list_messages(
    caller: Caller<auth::Push>,
    State(context): State<Context>,
    Query(query): Query<MessagesQuery>,
) -> Result<Json<Page<MessageResponse>>, Problem> {
    let appids = accounts::select(&context, &caller, AccountKind::Any, query.appid.as_ref())?;
    let limit = query.limit.map_or(DEFAULT_LIMIT, Limit::get);
    let before = query.cursor.as_ref().map(MessageCursor::id);
    let MessagesQuery { state, template_id, openid, unionid, .. } = &query;
    let filter = MessageFilter {
        state: *state,
        template_id: template_id.clone(),
        openid: openid.clone(),
        unionid: unionid.clone(),
    };
    let found = context.app.push.list(&appids, filter, before, limit + 1).await?;
    let after = |message: &MessageView| MessageCursor::after(message.id.clone()).into();
    Ok(Json(Page::of_rows(found, limit, after, MessageResponse::from)))
}

/// Get a message
#[utoipa::path(
    get, path = "/v1/messages/{id}", tag = "messages", security(("api_key" = ["push"])),
    params(("id" = String, Path, description = "The id of the message", pattern = "^[0-9a-f]{32}$")),
    responses(
        (status = 200, body = MessageResponse),
        (status = 404, description = "`message_unknown`: the message does not exist, was deleted after \
            `push.keep_days`, or belongs to an account that the API key may not access"),
    )
)]
pub(super) async fn get_message(
    caller: Caller<auth::Push>,
    State(context): State<Context>,
    Path(id): Path<MessageId>,
    _: Query<Nothing>,
) -> Result<Json<MessageResponse>, Problem> {
    let found = context.app.push.find(&id).await?.filter(|message| caller.allows(&message.appid));
    found.map(|message| Json(message.into())).ok_or_else(|| unknown(&id))
}
