//! The middleware around every request: request id, log span, metrics, and the body of errors.
//!
//! One function instead of a stack of layers, because each layer boxes each request again.

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

/// The longest request id that is accepted from a caller.
const MAX_ID_BYTES: usize = 64;

/// Identifies a request in the response, in the log and in the audit trail.
#[derive(Debug, Clone)]
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    /// Returns the caller's id if it is safe to log, otherwise a new one.
    fn from_headers(headers: &HeaderMap) -> Self {
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
    (1..=MAX_ID_BYTES).contains(&id.len()) && id.iter().all(plain)
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().cloned().unwrap_or_else(Self::new))
    }
}

/// Wraps every route, including the fallbacks.
pub(super) async fn observe(
    State(context): State<Context>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = RequestId::from_headers(request.headers());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    request.extensions_mut().insert(id.clone());
    // At level `error`, so that log lines carry the request id whatever the filter is.
    let span = tracing::error_span!("http", request.id = id.as_str());
    let handled = AssertUnwindSafe(next.run(request)).catch_unwind();
    async {
        let mut response = handled.await.unwrap_or_else(|_| HandlerPanicked.into_response());
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            response = problem.write_body(response, id.as_str());
            if response.status().is_server_error() {
                let route = route.as_ref().map(MatchedPath::as_str);
                let (code, cause) = (problem.code(), problem.cause());
                tracing::warn!(http.method = %method, http.route = route, code, cause, "failed");
            }
        }
        add_headers(&context, &mut response, id);
        let (route, spent) = (route.as_ref().map(MatchedPath::as_str), started.elapsed());
        context.request_metrics.record(route, &method, response.status(), spent);
        let status = response.status().as_u16();
        tracing::debug!(http.method = %method, http.route = route, status, ?spent, "answered");
        response
    }
    .instrument(span)
    .await
}

/// Adds the headers that every response has.
fn add_headers(context: &Context, response: &mut Response, id: RequestId) {
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, id.0);
    // Responses contain personal data that may change at any time.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if context.draining.is_cancelled() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// A handler panicked. The panic hook reported the panic itself.
#[derive(Debug, thiserror::Error)]
#[error("the handler panicked")]
struct HandlerPanicked;

impl IntoResponse for HandlerPanicked {
    fn into_response(self) -> Response {
        Problem::internal(&self).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(sent: &'static str) -> String {
        let header = (X_REQUEST_ID, HeaderValue::from_static(sent));
        RequestId::from_headers(&HeaderMap::from_iter([header])).as_str().to_owned()
    }

    #[test]
    fn a_callers_request_id_is_used_only_if_it_is_safe_to_log() {
        assert_eq!(id("job-7.a_B"), "job-7.a_B");
        let long: &'static str = Box::leak("x".repeat(65).into_boxed_str());
        for strange in ["", "a b", "a\"b", "a/b", long] {
            assert_eq!(id(strange).len(), 36, "{strange:?}");
        }
        assert_ne!(id(""), id(""));
    }
}
