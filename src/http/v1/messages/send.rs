//! `POST /v1/messages`: one message, done as a whole even where its caller does not stay for the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::allow;
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

/// How long WeChat's answer is waited for, where it is waited for.
const PATIENCE: Duration = Duration::from_secs(8);

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SendQuery {
    /// Whether to answer once WeChat did, after 8 s at the latest
    #[serde(default)]
    wait: bool,
}

/// What became of a request for one message; kept as it is for repetitions of the request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Answer {
    /// It was sent, or will not be.
    Settled(Box<MessageResponse>),
    /// It will be sent.
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
/// From a Mini Program user, a follower or a unionid to the person in the account that sends. The message
/// is checked against its template and kept; it is sent within moments, also where this process ends. Give
/// it an `Idempotency-Key`, so that asking again after a lost answer does not send it twice: for a day the
/// same key with the same body gives the same answer.
#[utoipa::path(
    post, path = "/v1/messages", tag = "messages", security(("api_key" = ["push"])),
    params(
        SendQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "A name for this request: a new UUID, say",
            min_length = 1, max_length = 255, pattern = "^[!-~]+$"),
    ),
    request_body = MessageRequest,
    responses(
        (status = 200, description = "With `wait`: WeChat has answered", body = MessageResponse),
        (status = 202, description = "It will be sent", body = AcceptedMessage),
        (status = 400, description = "`data_invalid`: WeChat would not take it; `errors` names every \
            mistake. `official_account_needed`, `mini_program_needed`: say which account sends. \
            `idempotency_key_invalid`. Or the body cannot be understood"),
        (status = 403, description = "`refused_by_user`: the person does not want messages of this \
            template. Or the API key has not the scope, or is for other accounts"),
        (status = 404, description = "`user_unknown`: never seen. `no_unionid`: WeChat has not told it. \
            `not_a_follower`: known, and never seen following. `unfollowed`: has left. `not_a_user`: never \
            logged in to the Mini Program that sends. `template_unknown`: the account has no such template. \
            `account_unknown`, `official_account_unknown`, `mini_program_unknown`: not configured"),
        (status = 409, description = "`request_in_flight`: the first request with this Idempotency-Key is \
            not answered yet",
            headers(("Retry-After" = u64, description = "Seconds to wait before the next try"))),
        (status = 422, description = "`idempotency_key_reused`: the key came before with another body"),
    )
)]
pub(super) async fn send_message(
    caller: Caller<auth::Push>,
    State(context): State<Context>,
    Query(SendQuery { wait }): Query<SendQuery>,
    key: IdempotencyKey,
    Json(request): Json<MessageRequest>,
) -> Result<Answer, Problem> {
    let named = key.name(&caller, "POST /v1/messages", &request, wait)?;
    let request = request.into_request()?;
    let push = context.app.push.clone();
    allow(&caller, &push, &request)?;
    // Its key would stay in flight where the client hangs up.
    let sent = context.background.whole(send(push, request, named, wait));
    sent.await.map_err(|panicked| Problem::internal(&panicked))?
}

async fn send(
    push: Arc<Push>,
    request: SendRequest,
    named: Option<IdempotentRequest>,
    wait: bool,
) -> Result<Answer, Problem> {
    let accepted = |id: &MessageId| Answer::Accepted(AcceptedMessage::new(id.clone()));
    let requests = [request];
    let answered = push.accept(&requests, named.as_ref(), |verdicts| match verdicts.first() {
        Some(Ok(id)) => kept(&accepted(id)),
        _ => String::new(),
    });
    let mut verdicts = match answered.await? {
        Accepted::Before(kept) => return repeat(&push, &kept).await,
        Accepted::Now(verdicts) => verdicts,
    };
    // Of one request, one.
    let id = verdicts.swap_remove(0)?;
    if !wait {
        return Ok(accepted(&id));
    }
    let settled = look(&push, &id).await;
    let answer = settled
        .as_ref()
        .map_or_else(|| accepted(&id), |settled| Answer::Settled(Box::new(settled.clone())));
    if let Some(IdempotentRequest { request, .. }) = named {
        let without_person = settled.map(|settled| Box::new(settled.without_person()));
        let keep = without_person.map_or_else(|| accepted(&id), Answer::Settled);
        if let Err(error) = push.note_answer(&request, &kept(&keep)).await {
            tracing::warn!(message.id = %id, %error, "could not keep an answer for its repetition");
        }
    }
    Ok(answer)
}

/// The message once WeChat has answered; `None` where it has not in time, or the message is to be sent
/// again.
async fn look(push: &Push, id: &MessageId) -> Option<MessageResponse> {
    match push.wait(id, PATIENCE).await {
        Ok(shown) => shown.filter(|shown| !shown.is_open()).map(Into::into),
        Err(error) => {
            tracing::warn!(message.id = %id, %error, "could not wait for a message");
            None
        }
    }
}

fn kept(answer: &Answer) -> String {
    serde_json::to_string(answer).unwrap_or_default()
}

/// What the first request with this name was answered.
async fn repeat(push: &Push, kept: &str) -> Result<Answer, Problem> {
    let answer = serde_json::from_str(kept).map_err(|error| Problem::internal(&error))?;
    let Answer::Settled(settled) = answer else { return Ok(answer) };
    let shown = push.find(settled.id()).await?;
    let shown = shown.ok_or_else(|| super::unknown(settled.id()))?;
    Ok(Answer::Settled(Box::new(settled.with_person_of(shown))))
}
