//! `POST /v1/messages/batch`: a message to up to 1,000 users, with a result for each.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::authorize;
use super::idempotency::IdempotencyKey;
use super::problem::field_errors;
use super::request::MessageBatchRequest;
use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::{BATCH, Json};
use crate::http::error::{FieldError, Problem, sanitize};
use crate::http::parameters::{Nothing, Query};
use crate::model::{MessageId, MessageState};
use crate::push::{Accepted, IdempotentRequest, Push, Refusal, SendRequest};

/// The result for each target
#[derive(Serialize, Deserialize, ToSchema)]
pub(super) struct MessageBatchResponse {
    /// One result for each target, in the order of the request
    results: Vec<TargetResult>,
}

/// An accepted message, or the reason why the message was refused
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
enum TargetResult {
    Accepted(AcceptedTarget),
    Refused(RefusedTarget),
}

/// An accepted message, which will be sent
#[derive(Serialize, Deserialize, ToSchema)]
struct AcceptedTarget {
    /// Always `accepted`
    #[schema(pattern = "^accepted$")]
    status: String,
    /// The id of the message, for `GET /v1/messages/{id}`
    #[schema(value_type = String, pattern = "^[0-9a-f]{32}$")]
    id: MessageId,
    /// Always `queued`
    #[schema(value_type = String, pattern = "^queued$")]
    state: MessageState,
}

/// A target whose message was refused
#[derive(Serialize, Deserialize, ToSchema)]
struct RefusedTarget {
    /// `user_unknown`, `no_unionid`, `not_a_follower`, `unfollowed`, `not_a_user`, `refused_by_user`,
    /// `template_unknown` or `data_invalid`, with the same meaning as the `code` of `POST /v1/messages`
    status: String,
    /// Why the message was refused, for people
    detail: String,
    /// What to do about it, for people; absent if there is nothing to suggest
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// Every mistake in the message; present only with `data_invalid`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

/// Send a message to up to 1,000 users
///
/// Targets are validated one by one: some may be accepted and others refused. The accepted messages are
/// stored together, or none of them. An `Idempotency-Key` applies to the whole batch: if any target was
/// accepted, repeating the request with the same key and body returns the same response for a day.
#[utoipa::path(
    post, path = "/v1/messages/batch", tag = "messages", security(("api_key" = ["push"])),
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "A unique name for this request, such \
            as a new UUID: repeating the request with the same key does not send the messages again",
            min_length = 1, max_length = 255, pattern = "^[!-~]+$"),
    ),
    request_body(content = MessageBatchRequest, description = "At most 2 MiB"),
    responses(
        (status = 200, body = MessageBatchResponse),
        (status = 400, description = "`no_targets`, `too_many_targets`: a batch must have 1 to 1,000 \
            targets. `official_account_needed`, `mini_program_needed`: several accounts are configured; \
            name the one that sends. `idempotency_key_invalid`: the Idempotency-Key is malformed. \
            `invalid_json`, `invalid_body`: the body is malformed"),
        (status = 404, description = "`account_unknown`, `official_account_unknown`, \
            `mini_program_unknown`: the account is not configured"),
        (status = 409, description = "`request_in_flight`: the first request with this Idempotency-Key is \
            still being processed; repeat the request after `Retry-After`",
            headers(("Retry-After" = u64, description = "Seconds to wait before repeating the request"))),
        (status = 422, description = "`idempotency_key_reused`: this Idempotency-Key was used with \
            another body; use a new key for each request"),
    )
)]
pub(super) async fn send_messages(
    caller: Caller<auth::Push>,
    State(context): State<Context>,
    _: Query<Nothing>,
    key: IdempotencyKey,
    Json(request): Json<MessageBatchRequest, BATCH>,
) -> Result<Json<MessageBatchResponse>, Problem> {
    let idempotent = key.identify(&caller, "POST /v1/messages/batch", &request, false)?;
    let requests = request.into_requests()?;
    let push = context.app.push.clone();
    requests.iter().try_for_each(|request| authorize(&caller, &push, request))?;
    let sent = context.background.run_to_completion(send(push, requests, idempotent));
    sent.await.map_err(|panic| Problem::internal(&panic))?.map(Json)
}

async fn send(
    push: Arc<Push>,
    requests: Vec<SendRequest>,
    idempotent: Option<IdempotentRequest>,
) -> Result<MessageBatchResponse, Problem> {
    let respond = |results: &Vec<_>| MessageBatchResponse {
        results: results.iter().map(TargetResult::from).collect(),
    };
    let to_json = |results: &Vec<_>| serde_json::to_string(&respond(results)).unwrap_or_default();
    match push.accept(&requests, idempotent.as_ref(), to_json).await? {
        Accepted::New(results) => Ok(respond(&results)),
        Accepted::Replayed(stored) => {
            serde_json::from_str(&stored).map_err(|error| Problem::internal(&error))
        }
    }
}

impl From<&Result<MessageId, Refusal>> for TargetResult {
    fn from(result: &Result<MessageId, Refusal>) -> Self {
        match result {
            Ok(id) => Self::Accepted(AcceptedTarget {
                status: "accepted".to_owned(),
                id: id.clone(),
                state: MessageState::Queued,
            }),
            Err(refusal) => Self::Refused(RefusedTarget {
                status: refusal.code().to_owned(),
                detail: sanitize(&refusal.to_string()),
                hint: refusal.hint().map(str::to_owned),
                errors: field_errors(refusal),
            }),
        }
    }
}
