//! The JSON body of errors.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Parts;

/// The error that WeChat returned
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::http) struct Upstream {
    /// WeChat's error code
    pub(in crate::http) errcode: i64,
    /// WeChat's error message
    pub(in crate::http) errmsg: String,
    /// WeChat's id of the request, for its support; absent if WeChat returned none
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) rid: Option<String>,
}

/// A condition that must hold for the service to work
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::http) struct Check {
    /// The name of the check: `draining`, `database` or `migrations`
    pub(in crate::http) name: &'static str,
    /// Whether the check passed
    pub(in crate::http) ok: bool,
    /// The finding, as a sentence for people
    pub(in crate::http) state: &'static str,
}

/// A mistake in one field of the request
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(in crate::http) struct FieldError {
    /// The path of the field, such as `data.thing2` or `fallback.subscribe.data.thing2`
    pub(in crate::http) field: String,
    /// What is wrong with the field, for people
    pub(in crate::http) problem: String,
}

/// An error, as defined by RFC 9457
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(in crate::http) struct Body<'p> {
    /// Always `about:blank`: use `code` to tell errors apart
    r#type: &'static str,
    /// The reason phrase of the HTTP status
    title: &'static str,
    /// The HTTP status
    status: u16,
    /// Identifies the error. Stable: programs should branch on this
    code: &'static str,
    /// What went wrong, for people; the wording may change
    detail: &'p str,
    /// The id of the request, as in the `X-Request-Id` header and in the service's log
    request_id: &'p str,
    /// What to do about the error, for people; absent if there is nothing to suggest
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'p str>,
    /// The error that WeChat returned; absent if WeChat did not cause this error
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<&'p Upstream>,
    /// The readiness checks; present only with `not_ready`
    #[serde(skip_serializing_if = "<[Check]>::is_empty")]
    checks: &'p [Check],
    /// Every mistake in the fields of the request; present only with `data_invalid`
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'p [FieldError],
    /// The id of the sync run that blocks the request; present only with `sync_running`, if it is known
    #[serde(skip_serializing_if = "Option::is_none")]
    sync_run: Option<i64>,
}

impl<'p> Body<'p> {
    pub(super) fn new(parts: &'p Parts, request_id: &'p str) -> Self {
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
