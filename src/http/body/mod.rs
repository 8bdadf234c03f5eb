//! Bodies: bounded in size and in time, and JSON that is exactly what was asked for.
//!
//! A request's type derives `Deserialize` with `#[serde(deny_unknown_fields)]` and without `flatten`, so
//! that serde refuses members twice and members unknown. serde_json stops at 128 levels.

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

use super::error::{Problem, fit};

/// The largest body in bytes of a request about one person.
pub(super) const SMALL: usize = 16 * 1024;

/// The largest body in bytes of a callback.
pub(super) const CALLBACK: usize = 64 * 1024;

/// The largest body in bytes of a request about many people.
pub(super) const BULK: usize = 256 * 1024;

/// The largest body in bytes of a request for a thousand messages: two kilobytes for each.
pub(super) const BATCH: usize = 2 * 1024 * 1024;

/// How long a body may take from its first byte to its last.
const DEADLINE: Duration = Duration::from_secs(10);

/// JSON, in a request of at most `MOST` bytes or in an answer.
#[derive(Debug)]
pub(super) struct Json<T, const MOST: usize = SMALL>(pub(super) T);

impl<T, S, const MOST: usize> FromRequest<S> for Json<T, MOST>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        refuse_size(request.headers(), MOST)?;
        if !is_json {
            return Err(not_json());
        }
        Self::read(&collect(request.into_body(), MOST).await?)
    }
}

/// A body that may be left out: one that is empty is none, whatever it is declared to be, and so is `null`.
impl<T, S, const MOST: usize> OptionalFromRequest<S> for Json<T, MOST>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Option<Self>, Problem> {
        let is_json = is_json(request.headers());
        refuse_size(request.headers(), MOST)?;
        let bytes = collect(request.into_body(), MOST).await?;
        match (bytes.is_empty(), is_json) {
            (true, _) => Ok(None),
            (false, false) => Err(not_json()),
            (false, true) if bytes.trim_ascii() == b"null" => Ok(None),
            (false, true) => Self::read(&bytes).map(Some),
        }
    }
}

fn not_json() -> Problem {
    Problem::unsupported("not_json", "the body is not declared to be JSON")
        .hint("send `Content-Type: application/json`")
}

impl<T: DeserializeOwned, const MOST: usize> Json<T, MOST> {
    fn read(bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.trim_ascii_start().first() == Some(&b'[') {
            // serde would take a list for the members of a struct, in their order.
            return Err(Problem::bad_request("invalid_body", "the body is a list and no object")
                .hint("/docs shows what the body has to be"));
        }
        serde_json::from_slice(bytes).map(Self).map_err(|error| explain::<T>(bytes, &error))
    }
}

impl<T: Serialize, const MOST: usize> IntoResponse for Json<T, MOST> {
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

/// What was asked for is under way: 202, and where to look at it.
#[derive(Debug)]
pub(super) struct Accepted<T> {
    /// The path of what is under way.
    pub(super) location: String,
    /// How it stands.
    pub(super) body: T,
}

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        let location = [(LOCATION, self.location)];
        (StatusCode::ACCEPTED, location, Json::<T>(self.body)).into_response()
    }
}

/// The bytes of a body of at most `MOST` bytes.
#[derive(Debug)]
pub(super) struct Raw<const MOST: usize>(pub(super) Bytes);

impl<S: Send + Sync, const MOST: usize> FromRequest<S> for Raw<MOST> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        refuse_size(request.headers(), MOST)?;
        collect(request.into_body(), MOST).await.map(Self)
    }
}

/// Refuses what is declared to be too large, and what is compressed: how large that is shows only when it is
/// unpacked, which is not done.
fn refuse_size(headers: &HeaderMap, most: usize) -> Result<(), Problem> {
    if headers.get_all(CONTENT_ENCODING).iter().any(|coding| coding != "identity") {
        return Err(Problem::compressed());
    }
    match declared(headers) {
        Some(length) if length > most as u64 => Err(Problem::too_large(most)),
        _ => Ok(()),
    }
}

async fn collect(body: Body, most: usize) -> Result<Bytes, Problem> {
    match tokio::time::timeout(DEADLINE, Limited::new(body, most).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::too_large(most)),
        Ok(Err(_)) => Err(Problem::bad_request("body_broken", "the body ended before its end")),
        Err(_) => Err(Problem::body_too_slow(DEADLINE)),
    }
}

fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// `application/json` or `application/…+json`, whatever its parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = kind.strip_prefix("application/").unwrap_or_default();
    subtype == "json" || subtype.ends_with("+json")
}

/// What is wrong, and where. Read a second time, because keeping the path costs time.
fn explain<T: DeserializeOwned>(bytes: &[u8], error: &serde_json::Error) -> Problem {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let detail = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(found) if found.path().iter().next().is_some() => {
            format!("at `{}`: {}", found.path(), found.inner())
        }
        _ => error.to_string(),
    };
    let detail = without_text(detail);
    let code = if error.is_data() { "invalid_body" } else { "invalid_json" };
    Problem::bad_request(code, fit(&detail)).hint("/docs shows what the body has to be")
}

/// serde repeats the text that it did not expect: a login code in the wrong place, say.
fn without_text(mut detail: String) -> String {
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
