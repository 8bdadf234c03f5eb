//! Messages and their fate: one, or a list by the page.

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

/// Messages on a page, unless it is said how many.
const USUAL: u64 = 50;

/// Messages on a page at most.
const MOST: u64 = 200;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MessagesQuery {
    /// Only messages that this account sent or will send
    #[param(value_type = Option<String>, pattern = r"^[A-Za-z0-9_-]{1,64}$")]
    appid: Option<AppId>,
    /// Only those that have come this far
    #[param(value_type = Option<String>, pattern = "^(queued|sent|delivered|failed|unknown)$")]
    state: Option<MessageState>,
    /// Only those by this template
    #[param(value_type = Option<String>, pattern = r"^[A-Za-z0-9_-]{1,64}$")]
    template_id: Option<TemplateId>,
    /// Only those to this person, in the account that sends
    #[param(value_type = Option<String>, pattern = r"^[A-Za-z0-9_-]{1,64}$")]
    openid: Option<OpenId>,
    /// Only those to this person, across accounts
    #[param(value_type = Option<String>, pattern = r"^[A-Za-z0-9_-]{1,64}$")]
    unionid: Option<UnionId>,
    /// How many at most; 50 where it is not said
    #[param(value_type = Option<u64>, minimum = 1, maximum = 200)]
    limit: Option<Limit<MOST>>,
    /// The `next_cursor` of the page before
    #[param(value_type = Option<String>, pattern = "^m[0-9a-f]{32}$")]
    cursor: Option<MessageCursor>,
}

/// Messages and their fate
///
/// The newest first, of all configured accounts that the key is for.
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
    Query(asked): Query<MessagesQuery>,
) -> Result<Json<Page<MessageResponse>>, Problem> {
    let appids = accounts::meant(&context, &caller, AccountKind::Any, asked.appid.as_ref())?;
    let limit = asked.limit.map_or(USUAL, Limit::get);
    let before = asked.cursor.as_ref().map(MessageCursor::id);
    let MessagesQuery { state, template_id, openid, unionid, .. } = &asked;
    let wanted = MessageFilter {
        state: *state,
        template_id: template_id.clone(),
        openid: openid.clone(),
        unionid: unionid.clone(),
    };
    let found = context.app.push.list(&appids, wanted, before, limit + 1).await?;
    let after = |shown: &MessageView| MessageCursor::after(shown.id.clone()).into();
    Ok(Json(Page::of_rows(found, limit, after, MessageResponse::from)))
}

/// One message and its fate
#[utoipa::path(
    get, path = "/v1/messages/{id}", tag = "messages", security(("api_key" = ["push"])),
    params(("id" = String, Path, description = "The message's id", pattern = "^[0-9a-f]{32}$")),
    responses(
        (status = 200, body = MessageResponse),
        (status = 404, description = "`message_unknown`: there is no such message, it is long past, or the \
            API key is not for the account that sends it"),
    )
)]
pub(super) async fn get_message(
    caller: Caller<auth::Push>,
    State(context): State<Context>,
    Path(id): Path<MessageId>,
    _: Query<Nothing>,
) -> Result<Json<MessageResponse>, Problem> {
    let found = context.app.push.find(&id).await?.filter(|shown| caller.allows(&shown.appid));
    found.map(|shown| Json(shown.into())).ok_or_else(|| unknown(&id))
}
