//! What happens to every request: an id, a span for its log lines, a count, and one line at its end.
//!
//! One function and not a stack of layers, because each layer boxes each request anew.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONNECTION, HeaderMap, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tracing::Instrument;

use super::Context;
use super::error::Problem;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id taken from a caller.
const MOST_ID_BYTES: usize = 64;

/// Names a request in the answer, in the log and in the audit trail.
#[derive(Debug, Clone)]
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    /// The caller's own, if it can stand in a log, or a new one.
    fn of(headers: &HeaderMap) -> Self {
        match headers.get(&X_REQUEST_ID) {
            Some(id) if is_plain(id.as_bytes()) => Self(id.clone()),
            _ => Self::new(),
        }
    }

    fn new() -> Self {
        let id = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
        let text = id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()).to_owned();
        Self(HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("-")))
    }

    /// 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
    pub(super) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

fn is_plain(id: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    (1..=MOST_ID_BYTES).contains(&id.len()) && id.iter().all(plain)
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().cloned().unwrap_or_else(Self::new))
    }
}

/// Goes around every route, the fallbacks included.
pub(super) async fn observe(
    State(context): State<Context>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let id = RequestId::of(request.headers());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    request.extensions_mut().insert(id.clone());
    // At `error`, so that a line carries it whatever the filter lets through.
    let span = tracing::error_span!("http", request.id = id.as_str());
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    async {
        let mut response = answer.await.unwrap_or_else(|_| Panicked.into_response());
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            response = problem.written(response, id.as_str());
            if response.status().is_server_error() {
                let route = route.as_ref().map(MatchedPath::as_str);
                let (code, cause) = (problem.code(), problem.cause());
                tracing::warn!(http.method = %method, http.route = route, code, cause, "failed");
            }
        }
        finish(&context, &mut response, id);
        let (route, spent) = (route.as_ref().map(MatchedPath::as_str), began.elapsed());
        context.request_metrics.record(route, &method, response.status(), spent);
        let status = response.status().as_u16();
        tracing::debug!(http.method = %method, http.route = route, status, ?spent, "answered");
        response
    }
    .instrument(span)
    .await
}

/// Headers that every answer has.
fn finish(context: &Context, response: &mut Response, id: RequestId) {
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, id.0);
    // Answers are about people, and true now.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if context.draining.is_cancelled() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// A handler panicked; the panic itself was reported where it happened.
#[derive(Debug, thiserror::Error)]
#[error("the handler panicked")]
struct Panicked;

impl IntoResponse for Panicked {
    fn into_response(self) -> Response {
        Problem::internal(&self).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(sent: &'static str) -> String {
        let header = (X_REQUEST_ID, HeaderValue::from_static(sent));
        RequestId::of(&HeaderMap::from_iter([header])).as_str().to_owned()
    }

    #[test]
    fn a_callers_id_is_taken_where_it_can_stand_in_a_log() {
        assert_eq!(id("job-7.a_B"), "job-7.a_B");
        let long: &'static str = Box::leak("x".repeat(65).into_boxed_str());
        for strange in ["", "a b", "a\"b", "a/b", long] {
            assert_eq!(id(strange).len(), 36, "{strange:?}");
        }
        assert_ne!(id(""), id(""));
    }
}
