//! What went wrong, as RFC 9457 tells it. The one place that knows which status an error has.
//!
//! Handlers say what is the matter (`Problem::not_found("user_unknown", …)`); [`observe`] adds the
//! request's id on the way out and logs it once. `code` is stable and for programs, `detail` is for
//! people, `hint` says what to do. Causes are logged and never told to callers.
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
pub(super) use quote::{fit, turns_around};

/// What every error's body is.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// An error to answer with. Built by meaning, refined with [`hint`](Self::hint) and
/// [`upstream`](Self::upstream).
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

    /// 400: the request cannot be understood as it is.
    pub(super) fn bad_request(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401: who asks is not known.
    pub(super) fn unauthorized(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, detail)
    }

    /// 403: who asks is known, and may not.
    pub(super) fn forbidden(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// 404: there is no such thing.
    pub(super) fn not_found(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// 405: the path is right, the method is not.
    pub(super) fn method_not_allowed() -> Self {
        let detail = "this path does not take this method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
            .hint("the Allow header names those it takes")
    }

    /// 408: the body came too slowly. The connection is closed.
    pub(super) fn body_too_slow(limit: Duration) -> Self {
        let detail = format!("the body did not come within {} s", limit.as_secs());
        Self::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", detail)
    }

    /// 409: it does not fit what was done before.
    pub(super) fn conflict(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 413: the body is too large.
    pub(super) fn too_large(most_bytes: usize) -> Self {
        let detail = format!("the body is larger than {most_bytes} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
    }

    /// 413: the body is compressed, and may be of any size.
    pub(super) fn compressed() -> Self {
        let detail = "compressed bodies are not taken: they may unpack to any size";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_compressed", detail)
            .hint("send it as it is, without Content-Encoding")
    }

    /// 415: the body is of another kind than expected.
    pub(super) fn unsupported(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code, detail)
    }

    /// 422: the request is understood, and is none that can be done.
    pub(super) fn unprocessable(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 429: the caller's own limit.
    pub(super) fn too_many(
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
        after: Duration,
    ) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, code, detail).retry_after(after)
    }

    /// 500: our own mistake. The error is logged, not told.
    pub(super) fn internal(error: &dyn std::error::Error) -> Self {
        let detail = "something went wrong here";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
            .caused_by(error)
            .hint("the log has a line with this request_id")
    }

    /// 502: WeChat's answer cannot be understood.
    pub(super) fn not_understood(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, code, detail)
    }

    /// 503: it may go through later.
    pub(super) fn unavailable(
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
        after: Duration,
    ) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(after)
    }

    /// 504: WeChat is too slow.
    pub(super) fn too_slow(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, code, detail)
    }

    /// What to do about it.
    pub(super) fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The same, where there is something to do.
    pub(super) fn maybe_hint(self, hint: Option<impl Into<Cow<'static, str>>>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// What WeChat said.
    pub(super) fn upstream(mut self, said: Upstream) -> Self {
        self.0.upstream = Some(said);
        self
    }

    /// What the service checked about itself.
    pub(super) fn checks(mut self, checks: Vec<Check>) -> Self {
        self.0.checks = checks;
        self
    }

    /// What is wrong with the parts of the request.
    pub(super) fn errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    /// The run that is in the way.
    pub(super) fn sync_run(mut self, id: RunId) -> Self {
        self.0.sync_run = Some(id);
        self
    }

    /// What is logged with it, and not told.
    pub(super) fn caused_by(mut self, error: &dyn std::fmt::Display) -> Self {
        self.0.cause = Some(error.to_string());
        self
    }

    /// When to try again.
    pub(super) fn retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// Which error it is.
    pub(super) fn code(&self) -> &'static str {
        self.0.code
    }

    /// What to log of it besides its code.
    pub(super) fn cause(&self) -> &str {
        self.0.cause.as_deref().unwrap_or(&self.0.detail)
    }

    /// Writes the body, which `into_response` leaves empty, now that the request's id is known.
    pub(super) fn written(&self, response: Response, request_id: &str) -> Response {
        let body = Body::of(&self.0, request_id);
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

/// Rounded up, and never none.
fn whole_seconds(after: Duration) -> u64 {
    (after.as_secs() + u64::from(after.subsec_nanos() > 0)).max(1)
}
