//! `POST /v1/messages`: sends one message. Runs to completion even if the caller disconnects.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::authorize;
use super::idempotency::IdempotencyKey;
use super::request::MessageRequest;
use super::response::{AcceptedMessage, MessageResponse};
use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::Json;
use crate::http::error::Problem;
use crate::http::parameters::Query;
use crate::model::MessageId;
use crate::push::{Accepted, IdempotentRequest, Push, SendRequest};

/// How long a request with `wait` waits for WeChat's response.
const WAIT_TIMEOUT: Duration = Duration::from_secs(8);

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SendQuery {
    /// Whether to wait for WeChat's response, for at most 8 s. Without it, a new message is answered with 202 at once
    #[serde(default)]
    wait: bool,
}

/// The response to a request for one message. Stored to answer repeated requests.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Answer {
    /// The message was sent, or will not be sent.
    Settled(Box<MessageResponse>),
    /// The message will be sent.
    Accepted(AcceptedMessage),
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Settled(_) => StatusCode::OK,
            Self::Accepted(_) => StatusCode::ACCEPTED,
        };
        (status, Json::<_>(self)).into_response()
    }
}

/// Send a message
///
/// Finds the recipient in the account that sends, validates the message against its template, and stores
/// it. The message is then sent, usually within a second, even if this process stops. Send an
/// `Idempotency-Key`, so that you can safely repeat the request after a lost response: for a day, the same
/// key with the same body returns the same response and sends nothing.
#[utoipa::path(
    post, path = "/v1/messages", tag = "messages", security(("api_key" = ["push"])),
    params(
        SendQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "A unique name for this request, such \
            as a new UUID: repeating the request with the same key does not send the message again",
            min_length = 1, max_length = 255, pattern = "^[!-~]+$"),
    ),
    request_body = MessageRequest,
    responses(
        (status = 200, description = "Only with `wait`: WeChat has responded, and no further attempt \
            follows. The message may have failed: check `state`", body = MessageResponse),
        (status = 202, description = "The message is stored and will be sent", body = AcceptedMessage),
        (status = 400, description = "`data_invalid`: the message does not fit its template; `errors` \
            lists every mistake. `official_account_needed`, `mini_program_needed`: several accounts are \
            configured; name the one that sends. `idempotency_key_invalid`: the Idempotency-Key is \
            malformed. `invalid_json`, `invalid_body`, `invalid_query`: the body or a parameter is \
            malformed"),
        (status = 403, description = "`refused_by_user`: the user does not want messages of this template. \
            `scope_missing`, `app_not_allowed`: the API key lacks the scope, or may not access the account"),
        (status = 404, description = "`user_unknown`: the service has never seen this user. `no_unionid`: \
            WeChat has not returned the user's unionid. `not_a_follower`: the service has never seen the \
            user follow the Official Account. `unfollowed`: the user no longer follows it. `not_a_user`: \
            the user has never logged in to the Mini Program that sends. `template_unknown`: the account \
            has no such template. `account_unknown`, `official_account_unknown`, `mini_program_unknown`: \
            the account is not configured"),
        (status = 409, description = "`request_in_flight`: the first request with this Idempotency-Key is \
            still being processed; repeat the request after `Retry-After`",
            headers(("Retry-After" = u64, description = "Seconds to wait before repeating the request"))),
        (status = 422, description = "`idempotency_key_reused`: this Idempotency-Key was used with \
            another body; use a new key for each request"),
    )
)]
pub(super) async fn send_message(
    caller: Caller<auth::Push>,
    State(context): State<Context>,
    Query(SendQuery { wait }): Query<SendQuery>,
    key: IdempotencyKey,
    Json(request): Json<MessageRequest>,
) -> Result<Answer, Problem> {
    let idempotent = key.identify(&caller, "POST /v1/messages", &request, wait)?;
    let request = request.into_request()?;
    let push = context.app.push.clone();
    authorize(&caller, &push, &request)?;
    // Otherwise the Idempotency-Key would stay in flight if the client disconnects.
    let sent = context.background.run_to_completion(send(push, request, idempotent, wait));
    sent.await.map_err(|panic| Problem::internal(&panic))?
}

async fn send(
    push: Arc<Push>,
    request: SendRequest,
    idempotent: Option<IdempotentRequest>,
    wait: bool,
) -> Result<Answer, Problem> {
    let accepted = |id: &MessageId| Answer::Accepted(AcceptedMessage::new(id.clone()));
    let requests = [request];
    let accepting = push.accept(&requests, idempotent.as_ref(), |results| match results.first() {
        Some(Ok(id)) => to_json(&accepted(id)),
        _ => String::new(),
    });
    let mut results = match accepting.await? {
        Accepted::Replayed(stored) => return repeat(&push, &stored).await,
        Accepted::New(results) => results,
    };
    // One request has one result.
    let id = results.swap_remove(0)?;
    if !wait {
        return Ok(accepted(&id));
    }
    let settled = wait_until_settled(&push, &id).await;
    let answer = settled
        .as_ref()
        .map_or_else(|| accepted(&id), |settled| Answer::Settled(Box::new(settled.clone())));
    if let Some(IdempotentRequest { request, .. }) = idempotent {
        let without_user = settled.map(|settled| Box::new(settled.without_user()));
        let stored = without_user.map_or_else(|| accepted(&id), Answer::Settled);
        if let Err(error) = push.record_answer(&request, &to_json(&stored)).await {
            tracing::warn!(message.id = %id, %error, "could not store a response for repetitions");
        }
    }
    Ok(answer)
}

/// Waits for WeChat's response and returns the message. Returns `None` if WeChat does not respond in time,
/// or if another attempt follows.
async fn wait_until_settled(push: &Push, id: &MessageId) -> Option<MessageResponse> {
    match push.wait(id, WAIT_TIMEOUT).await {
        Ok(found) => found.filter(|message| !message.is_open()).map(Into::into),
        Err(error) => {
            tracing::warn!(message.id = %id, %error, "could not wait for a message");
            None
        }
    }
}

fn to_json(answer: &Answer) -> String {
    serde_json::to_string(answer).unwrap_or_default()
}

/// Returns the stored response of the first request with the same Idempotency-Key.
async fn repeat(push: &Push, stored: &str) -> Result<Answer, Problem> {
    let answer = serde_json::from_str(stored).map_err(|error| Problem::internal(&error))?;
    let Answer::Settled(settled) = answer else { return Ok(answer) };
    let message = push.find(settled.id()).await?;
    let message = message.ok_or_else(|| super::unknown(settled.id()))?;
    Ok(Answer::Settled(Box::new(settled.with_user_of(message))))
}
