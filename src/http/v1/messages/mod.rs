//! `/v1/messages`: messages to one user or up to 1,000, and their states.
//!
//! A request is parsed into a [`SendRequest`] ([`request`], [`spec`], [`data`]). [`crate::push`] validates it
//! and stores it together with its Idempotency-Key ([`idempotency`]). Refusals become a [`problem`].

mod batch;
mod data;
mod idempotency;
mod list;
mod problem;
mod request;
mod response;
mod send;
mod spec;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use response::MessageResponse;

use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::error::Problem;
use crate::model::MessageId;
use crate::push::{Push, SendRequest};
use crate::resolve::User;

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default()
        .routes(routes!(list::list_messages, send::send_message))
        .routes(routes!(batch::send_messages))
        .routes(routes!(list::get_message))
}

/// Returns 403 unless the key may access the accounts that send and the account that the user is named by.
fn authorize(
    caller: &Caller<auth::Push>,
    push: &Push,
    request: &SendRequest,
) -> Result<(), Problem> {
    let SendRequest { to, message, fallback } = request;
    for spec in [Some(message), fallback.as_ref()].into_iter().flatten() {
        caller.require_app(push.sends(spec)?)?;
    }
    match to {
        User::OpenId { appid, .. } => caller.require_app(appid),
        User::Unionid(_) => Ok(()),
    }
}

fn unknown(id: &MessageId) -> Problem {
    Problem::not_found("message_unknown", format!("message {id} does not exist"))
        .hint("check the id and the account; messages are deleted after `push.keep_days`")
}
