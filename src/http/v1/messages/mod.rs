//! `/v1/messages`: a message to one person or to a thousand, and its fate.
//!
//! A request is read into a [`SendRequest`] ([`request`], [`spec`], [`data`]), which [`crate::push`] judges and
//! keeps together with the request's name ([`idempotency`]). What it refuses is a [`problem`].

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

/// Refuses what is sent by an account, or to a user of an account, that the key is not for.
fn allow(caller: &Caller<auth::Push>, push: &Push, request: &SendRequest) -> Result<(), Problem> {
    let SendRequest { to, message, fallback } = request;
    for spec in [Some(message), fallback.as_ref()].into_iter().flatten() {
        caller.may_name(push.sends(spec)?)?;
    }
    match to {
        User::OpenId { appid, .. } => caller.may_name(appid),
        User::Unionid(_) => Ok(()),
    }
}

fn unknown(id: &MessageId) -> Problem {
    Problem::not_found("message_unknown", format!("there is no message {id}"))
        .hint("messages are known for as long as `push.keep_days` says")
}
