//! Request bodies with limits on size and time, and strict JSON.
//!
//! Request types derive `Deserialize` with `#[serde(deny_unknown_fields)]` and without `flatten`, so that
//! serde rejects unknown and repeated members. serde_json rejects more than 128 levels of nesting.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, OptionalFromRequest, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{Problem, sanitize};

/// The largest body in bytes of a request about one user.
pub(super) const SMALL: usize = 16 * 1024;

/// The largest body in bytes of a callback.
pub(super) const CALLBACK: usize = 64 * 1024;

/// The largest body in bytes of a request about many users.
pub(super) const BULK: usize = 256 * 1024;

/// The largest body in bytes of a request for 1,000 messages: 2 KiB for each.
pub(super) const BATCH: usize = 2 * 1024 * 1024;

/// How long reading a body may take.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// JSON in a response, or in a request of at most `MAX_BYTES`.
#[derive(Debug)]
pub(super) struct Json<T, const MAX_BYTES: usize = SMALL>(pub(super) T);

impl<T, S, const MAX_BYTES: usize> FromRequest<S> for Json<T, MAX_BYTES>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        check_size(request.headers(), MAX_BYTES)?;
        if !is_json {
            return Err(not_json());
        }
        Self::parse(&collect(request.into_body(), MAX_BYTES).await?)
    }
}

/// An optional body. `None` if the body is `null`, or empty with any `Content-Type`.
impl<T, S, const MAX_BYTES: usize> OptionalFromRequest<S> for Json<T, MAX_BYTES>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Option<Self>, Problem> {
        let is_json = is_json(request.headers());
        check_size(request.headers(), MAX_BYTES)?;
        let bytes = collect(request.into_body(), MAX_BYTES).await?;
        match (bytes.is_empty(), is_json) {
            (true, _) => Ok(None),
            (false, false) => Err(not_json()),
            (false, true) if bytes.trim_ascii() == b"null" => Ok(None),
            (false, true) => Self::parse(&bytes).map(Some),
        }
    }
}

const SEE_DOCS: &str = "/docs shows the body that each path expects";

fn not_json() -> Problem {
    Problem::unsupported("not_json", "the Content-Type of the body is not JSON")
        .hint("send `Content-Type: application/json`")
}

impl<T: DeserializeOwned, const MAX_BYTES: usize> Json<T, MAX_BYTES> {
    fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.trim_ascii_start().first() == Some(&b'[') {
            // serde would accept a list as the members of a struct, in their order.
            let detail = "the body is a list instead of an object";
            return Err(Problem::bad_request("invalid_body", detail).hint(SEE_DOCS));
        }
        serde_json::from_slice(bytes).map(Self).map_err(|error| explain::<T>(bytes, &error))
    }
}

impl<T: Serialize, const MAX_BYTES: usize> IntoResponse for Json<T, MAX_BYTES> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(text) => {
                let kind = HeaderValue::from_static("application/json");
                ([(CONTENT_TYPE, kind)], text).into_response()
            }
            Err(error) => Problem::internal(&error).into_response(),
        }
    }
}

/// A 202 response: the operation has started, and `Location` shows its progress.
#[derive(Debug)]
pub(super) struct Accepted<T> {
    /// The path that shows the progress.
    pub(super) location: String,
    /// The current state.
    pub(super) body: T,
}

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        let location = [(LOCATION, self.location)];
        (StatusCode::ACCEPTED, location, Json::<T>(self.body)).into_response()
    }
}

/// A raw body of at most `MAX_BYTES`.
#[derive(Debug)]
pub(super) struct Raw<const MAX_BYTES: usize>(pub(super) Bytes);

impl<S: Send + Sync, const MAX_BYTES: usize> FromRequest<S> for Raw<MAX_BYTES> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        check_size(request.headers(), MAX_BYTES)?;
        collect(request.into_body(), MAX_BYTES).await.map(Self)
    }
}

/// Returns 413 if the declared length is too large, or if the body is compressed: its real size is unknown.
fn check_size(headers: &HeaderMap, max_bytes: usize) -> Result<(), Problem> {
    if headers.get_all(CONTENT_ENCODING).iter().any(|coding| coding != "identity") {
        return Err(Problem::compressed());
    }
    match content_length(headers) {
        Some(length) if length > max_bytes as u64 => Err(Problem::too_large(max_bytes)),
        _ => Ok(()),
    }
}

async fn collect(body: Body, max_bytes: usize) -> Result<Bytes, Problem> {
    match tokio::time::timeout(READ_TIMEOUT, Limited::new(body, max_bytes).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::too_large(max_bytes)),
        Ok(Err(_)) => Err(Problem::bad_request("body_broken", "the body is incomplete")),
        Err(_) => Err(Problem::body_too_slow(READ_TIMEOUT)),
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether the content type is `application/json` or `application/…+json`, with any parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = kind.strip_prefix("application/").unwrap_or_default();
    subtype == "json" || subtype.ends_with("+json")
}

/// Describes a parse error with its path. Parses a second time, because tracking the path is slow.
fn explain<T: DeserializeOwned>(bytes: &[u8], error: &serde_json::Error) -> Problem {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let detail = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(found) if found.path().iter().next().is_some() => {
            format!("at `{}`: {}", found.path(), found.inner())
        }
        _ => error.to_string(),
    };
    let detail = remove_value(detail);
    let code = if error.is_data() { "invalid_body" } else { "invalid_json" };
    Problem::bad_request(code, sanitize(&detail)).hint(SEE_DOCS)
}

/// Removes the unexpected string that serde quotes: it may be a secret, such as a misplaced login code.
fn remove_value(mut detail: String) -> String {
    const BEFORE: &str = "invalid type: string ";
    if let Some(start) = detail.find(BEFORE).map(|at| at + BEFORE.len())
        && let Some(end) = detail.rfind(", expected")
        && start < end
    {
        detail.replace_range(start - 1..end, "");
    }
    detail
}

#[cfg(test)]
mod tests;
