//! What an error looks like on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Parts;

/// What WeChat said, where it was the cause.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::http) struct Upstream {
    /// WeChat's error code
    pub(in crate::http) errcode: i64,
    /// WeChat's words for it
    pub(in crate::http) errmsg: String,
    /// WeChat's number for the request, to be given to its support
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) rid: Option<String>,
}

/// One thing that has to hold for the service to work.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::http) struct Check {
    /// What is checked
    pub(in crate::http) name: &'static str,
    /// Whether it holds
    pub(in crate::http) ok: bool,
    /// What was found
    pub(in crate::http) state: &'static str,
}

/// What is wrong with one part of the request.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(in crate::http) struct FieldError {
    /// Which part: `data.thing2`
    pub(in crate::http) field: String,
    /// What is wrong with it
    pub(in crate::http) problem: String,
}

/// An error, after RFC 9457
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(in crate::http) struct Body<'p> {
    /// Always `about:blank`: `code` says which error it is
    r#type: &'static str,
    /// The status in words
    title: &'static str,
    /// The HTTP status
    status: u16,
    /// Which error it is, for programs; stable
    code: &'static str,
    /// What went wrong, for people
    detail: &'p str,
    /// The id of the request, as in the X-Request-Id header and in the log
    request_id: &'p str,
    /// What to do about it
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'p str>,
    /// What WeChat said, where it was the cause
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<&'p Upstream>,
    /// What keeps the service from working
    #[serde(skip_serializing_if = "<[Check]>::is_empty")]
    checks: &'p [Check],
    /// What is wrong with the parts of the request
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'p [FieldError],
    /// The run of the follower sync that is in the way
    #[serde(skip_serializing_if = "Option::is_none")]
    sync_run: Option<i64>,
}

impl<'p> Body<'p> {
    pub(super) fn of(parts: &'p Parts, request_id: &'p str) -> Self {
        Self {
            r#type: "about:blank",
            title: parts.status.canonical_reason().unwrap_or("Error"),
            status: parts.status.as_u16(),
            code: parts.code,
            detail: &parts.detail,
            request_id,
            hint: parts.hint.as_deref(),
            upstream: parts.upstream.as_ref(),
            checks: &parts.checks,
            errors: &parts.errors,
            sync_run: parts.sync_run,
        }
    }
}
