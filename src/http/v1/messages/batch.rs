//! `POST /v1/messages/batch`: a message to up to a thousand people, with a result for each.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::allow;
use super::idempotency::IdempotencyKey;
use super::problem::field_errors;
use super::request::MessageBatchRequest;
use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::{BATCH, Json};
use crate::http::error::{FieldError, Problem, fit};
use crate::http::parameters::{Nothing, Query};
use crate::model::{MessageId, MessageState};
use crate::push::{Accepted, IdempotentRequest, Push, Refusal, SendRequest};

/// What became of each target, in the order asked
#[derive(Serialize, Deserialize, ToSchema)]
pub(super) struct MessageBatchResponse {
    results: Vec<TargetResult>,
}

/// A message that was accepted, or the reason why not
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
enum TargetResult {
    Accepted(AcceptedTarget),
    Refused(RefusedTarget),
}

/// A message that will be sent
#[derive(Serialize, Deserialize, ToSchema)]
struct AcceptedTarget {
    /// Always `accepted`
    #[schema(pattern = "^accepted$")]
    status: String,
    /// Its id, for GET /v1/messages/{id}
    #[schema(value_type = String, pattern = "^[0-9a-f]{32}$")]
    id: MessageId,
    /// Always `queued`
    #[schema(value_type = String, pattern = "^queued$")]
    state: MessageState,
}

/// Somebody who gets no message
#[derive(Serialize, Deserialize, ToSchema)]
struct RefusedTarget {
    /// `user_unknown`, `no_unionid`, `not_a_follower`, `unfollowed`, `not_a_user`, `refused_by_user`,
    /// `template_unknown` or `data_invalid`
    status: String,
    /// Why, for people
    detail: String,
    /// What to do about it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// What is wrong with the parts of the message, where it is `data_invalid`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

/// Send a message to up to 1,000 people
///
/// Each is judged alone, so that some may be accepted and others not; those accepted are kept together. An
/// `Idempotency-Key` is for the whole: where somebody was accepted, asking again with the same key and body
/// gives the same answer for a day.
#[utoipa::path(
    post, path = "/v1/messages/batch", tag = "messages", security(("api_key" = ["push"])),
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "A name for this request: a new UUID, say",
            min_length = 1, max_length = 255, pattern = "^[!-~]+$"),
    ),
    request_body(content = MessageBatchRequest, description = "At most 2 MiB"),
    responses(
        (status = 200, body = MessageBatchResponse),
        (status = 400, description = "`no_targets`, `too_many_targets`: 1 to 1,000 are taken. \
            `official_account_needed`, `mini_program_needed`: say which account sends. \
            `idempotency_key_invalid`. Or the body cannot be understood"),
        (status = 404, description = "`account_unknown`, `official_account_unknown`, \
            `mini_program_unknown`: not configured"),
        (status = 409, description = "`request_in_flight`: the first request with this Idempotency-Key is \
            not answered yet",
            headers(("Retry-After" = u64, description = "Seconds to wait before the next try"))),
        (status = 422, description = "`idempotency_key_reused`: the key came before with another body"),
    )
)]
pub(super) async fn send_messages(
    caller: Caller<auth::Push>,
    State(context): State<Context>,
    _: Query<Nothing>,
    key: IdempotencyKey,
    Json(request): Json<MessageBatchRequest, BATCH>,
) -> Result<Json<MessageBatchResponse>, Problem> {
    let named = key.name(&caller, "POST /v1/messages/batch", &request, false)?;
    let requests = request.into_requests()?;
    let push = context.app.push.clone();
    requests.iter().try_for_each(|request| allow(&caller, &push, request))?;
    let sent = context.background.whole(send(push, requests, named));
    sent.await.map_err(|panicked| Problem::internal(&panicked))?.map(Json)
}

async fn send(
    push: Arc<Push>,
    requests: Vec<SendRequest>,
    named: Option<IdempotentRequest>,
) -> Result<MessageBatchResponse, Problem> {
    let told = |verdicts: &Vec<_>| MessageBatchResponse {
        results: verdicts.iter().map(TargetResult::from).collect(),
    };
    let kept = |verdicts: &Vec<_>| serde_json::to_string(&told(verdicts)).unwrap_or_default();
    match push.accept(&requests, named.as_ref(), kept).await? {
        Accepted::Now(verdicts) => Ok(told(&verdicts)),
        Accepted::Before(kept) => {
            serde_json::from_str(&kept).map_err(|error| Problem::internal(&error))
        }
    }
}

impl From<&Result<MessageId, Refusal>> for TargetResult {
    fn from(verdict: &Result<MessageId, Refusal>) -> Self {
        match verdict {
            Ok(id) => Self::Accepted(AcceptedTarget {
                status: "accepted".to_owned(),
                id: id.clone(),
                state: MessageState::Queued,
            }),
            Err(refusal) => Self::Refused(RefusedTarget {
                status: refusal.code().to_owned(),
                detail: fit(&refusal.to_string()),
                hint: refusal.hint().map(str::to_owned),
                errors: field_errors(refusal),
            }),
        }
    }
}
