//! Errors as RFC 9457 problems. The one place that maps errors to HTTP statuses.
//!
//! Handlers return a `Problem::not_found("user_unknown", …)`; [`observe`] adds the request id on the way
//! out and logs the error once. `code` is stable and for programs, `detail` is for people, `hint` says what
//! to do. Causes are logged and never sent to callers.
//!
//! [`observe`]: super::observe

mod body;
mod quote;
mod refusals;

use std::borrow::Cow;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};

use crate::model::RunId;

pub(super) use body::{Body, Check, FieldError, Upstream};
pub(super) use quote::{is_bidi_control, sanitize};
pub(super) use refusals::database_state;

/// The content type of every error.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// An error response. Created by a function named after its status, and completed with [`hint`](Self::hint)
/// and [`upstream`](Self::upstream).
#[derive(Debug, Clone)]
pub(super) struct Problem(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
    upstream: Option<Upstream>,
    retry_after: Option<Duration>,
    checks: Vec<Check>,
    errors: Vec<FieldError>,
    sync_run: Option<RunId>,
    cause: Option<String>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Parts {
            status,
            code,
            detail: detail.into(),
            hint: None,
            upstream: None,
            retry_after: None,
            checks: Vec::new(),
            errors: Vec::new(),
            sync_run: None,
            cause: None,
        }))
    }

    /// 400: the request is malformed.
    pub(super) fn bad_request(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401: the caller is not authenticated.
    pub(super) fn unauthorized(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, detail)
    }

    /// 403: the caller is authenticated but not allowed to do this.
    pub(super) fn forbidden(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// 404: the resource does not exist.
    pub(super) fn not_found(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// 405: the path exists, but does not support the method.
    pub(super) fn method_not_allowed() -> Self {
        let detail = "this path does not support this method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
            .hint("the Allow header lists the supported methods")
    }

    /// 408: the body arrived too slowly. The connection is closed.
    pub(super) fn body_too_slow(limit: Duration) -> Self {
        let detail = format!("the body did not arrive within {} s", limit.as_secs());
        Self::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", detail)
    }

    /// 409: the request conflicts with the current state.
    pub(super) fn conflict(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 413: the body is too large.
    pub(super) fn too_large(max_bytes: usize) -> Self {
        let detail = format!("the body is larger than {max_bytes} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
    }

    /// 413: the body is compressed, so that its size is unknown.
    pub(super) fn compressed() -> Self {
        let detail = "compressed bodies are not accepted, because they may unpack to any size";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_compressed", detail)
            .hint("send the body uncompressed, without Content-Encoding")
    }

    /// 415: the body has an unsupported content type.
    pub(super) fn unsupported(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code, detail)
    }

    /// 422: the request is well-formed but cannot be carried out.
    pub(super) fn unprocessable(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 429: the caller exceeded a rate limit.
    pub(super) fn too_many_requests(
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
        after: Duration,
    ) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, code, detail).retry_after(after)
    }

    /// 500: a bug or a permanent failure of this service. The error is logged, but not sent to the caller.
    pub(super) fn internal(error: &dyn std::error::Error) -> Self {
        let detail = "an internal error occurred";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
            .caused_by(error)
            .hint("ask the operator to look for this request_id in the service's log")
    }

    /// 502: WeChat refused the request, or its response could not be understood.
    pub(super) fn bad_gateway(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, code, detail)
    }

    /// 503: the same request may succeed later.
    pub(super) fn unavailable(
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
        after: Duration,
    ) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(after)
    }

    /// 504: WeChat did not respond in time.
    pub(super) fn gateway_timeout(
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, code, detail)
    }

    /// Adds what the caller should do.
    pub(super) fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds what the caller should do, if there is something to suggest.
    pub(super) fn maybe_hint(self, hint: Option<impl Into<Cow<'static, str>>>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// Adds the error that WeChat returned.
    pub(super) fn upstream(mut self, upstream: Upstream) -> Self {
        self.0.upstream = Some(upstream);
        self
    }

    /// Adds the results of the readiness checks.
    pub(super) fn checks(mut self, checks: Vec<Check>) -> Self {
        self.0.checks = checks;
        self
    }

    /// Adds the mistakes in the fields of the request.
    pub(super) fn errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    /// Adds the sync run that blocks the request.
    pub(super) fn sync_run(mut self, id: RunId) -> Self {
        self.0.sync_run = Some(id);
        self
    }

    /// Adds the cause, which is logged but not sent to the caller.
    pub(super) fn caused_by(mut self, error: &dyn std::fmt::Display) -> Self {
        self.0.cause = Some(error.to_string());
        self
    }

    /// Adds a `Retry-After` header, rounded up to whole seconds.
    pub(super) fn retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// The stable code of the error.
    pub(super) fn code(&self) -> &'static str {
        self.0.code
    }

    /// What to log besides the code: the cause if there is one, otherwise the detail.
    pub(super) fn cause(&self) -> &str {
        self.0.cause.as_deref().unwrap_or(&self.0.detail)
    }

    /// Writes the body, which `into_response` leaves empty because the request id is not known there.
    pub(super) fn write_body(&self, response: Response, request_id: &str) -> Response {
        let body = Body::new(&self.0, request_id);
        response.map(|_| serde_json::to_vec(&body).unwrap_or_default().into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(after) = self.0.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(after)));
        }
        if self.0.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Rounds up to whole seconds, at least 1.
fn whole_seconds(after: Duration) -> u64 {
    (after.as_secs() + u64::from(after.subsec_nanos() > 0)).max(1)
}
