//! Bodies: bounded in size and in time, and JSON that is exactly what was asked for.
//!
//! A request's type derives `Deserialize` with `#[serde(deny_unknown_fields)]` and without `flatten`, so
//! that serde refuses members twice and members unknown. serde_json stops at 128 levels.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
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
        if !is_json(request.headers()) {
            return Err(Problem::unsupported("not_json", "the body is not declared to be JSON")
                .hint("send `Content-Type: application/json`"));
        }
        let bytes = read(request, MOST).await?;
        if bytes.trim_ascii_start().first() == Some(&b'[') {
            // serde would take a list for the members of a struct, in their order.
            return Err(Problem::bad_request("invalid_body", "the body is a list and no object")
                .hint("/docs shows what the body has to be"));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|error| explain::<T>(&bytes, &error))
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
        read(request, MOST).await.map(Self)
    }
}

async fn read(request: Request, most: usize) -> Result<Bytes, Problem> {
    let headers = request.headers();
    if headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        let detail = "compressed bodies are not taken";
        return Err(Problem::unsupported("body_compressed", detail).hint("send it as it is"));
    }
    if declared(headers).is_some_and(|length| length > most as u64) {
        return Err(Problem::too_large(most));
    }
    collect(request.into_body(), most).await
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
mod tests {
    use std::collections::HashMap;

    use futures::stream;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read is looked at")]
    struct Asked {
        name: String,
        count: Option<f64>,
        many: Option<Vec<Inner>>,
        any: Option<serde_json::Value>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read is looked at")]
    struct Inner {
        id: u32,
    }

    async fn sent(headers: &[(&str, &str)], body: impl Into<Body>) -> Result<Asked, Problem> {
        let mut request = Request::post("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let read = Json::from_request(request.body(body.into()).unwrap(), &()).await;
        read.map(|Json::<Asked>(asked)| asked)
    }

    async fn json(text: impl Into<Body>) -> Result<Asked, Problem> {
        sent(&[("content-type", "application/json; charset=utf-8")], text).await
    }

    async fn code(text: impl Into<Body>) -> &'static str {
        json(text).await.unwrap_err().code()
    }

    #[tokio::test]
    async fn hostile_json_is_refused_by_what_is_wrong_with_it() {
        assert_eq!(json(r#"{"name": "a", "many": [{"id": 1}]}"#).await.unwrap().name, "a");
        let deep = format!(r#"{{"name": "a", "any": {}"#, "[".repeat(8_000));
        for (text, expected) in [
            ("", "invalid_json"),
            ("{", "invalid_json"),
            ("{}", "invalid_body"),
            ("[]", "invalid_body"),
            (r#" ["a", null, null, null]"#, "invalid_body"),
            (r#"{"name": "a", "name": "b"}"#, "invalid_body"),
            (r#"{"name": "a", "nmae": "b"}"#, "invalid_body"),
            (r#"{"name": "a", "count": 1e999}"#, "invalid_json"),
            (r#"{"name": "\ud800"}"#, "invalid_json"),
            (r#"{"name": "a"} {}"#, "invalid_json"),
            (&deep, "invalid_json"),
        ] {
            assert_eq!(code(text.to_owned()).await, expected, "{text:.60}");
        }
        assert_eq!(code(&b"{\"name\": \"\xff\"}"[..]).await, "invalid_json");
    }

    #[tokio::test]
    async fn the_place_of_a_mistake_is_named() {
        let refused = json(r#"{"name": "a", "many": [{"id": 1}, {"id": "x"}]}"#).await.unwrap_err();
        assert!(refused.cause().starts_with("at `many[1].id`: "), "{}", refused.cause());
        let refused = json(r#"{"name": "a", "many": "canary, expected"}"#).await.unwrap_err();
        assert!(
            refused.cause().starts_with("at `many`: invalid type: string, expected a sequence")
        );
        let refused = json(r#"{"name": "a", "nmae": "b"}"#).await.unwrap_err();
        assert!(refused.cause().contains("`nmae`"), "{}", refused.cause());
    }

    #[tokio::test]
    async fn only_json_as_it_is_gets_in() {
        let text = r#"{"name": "a"}"#;
        for kind in ["application/json", "Application/JSON", "application/merge-patch+json"] {
            assert!(sent(&[("content-type", kind)], text).await.is_ok(), "{kind}");
        }
        for kind in ["text/json", "application/x-www-form-urlencoded", "json", ""] {
            let refused = sent(&[("content-type", kind)], text).await.unwrap_err();
            assert_eq!(refused.code(), "not_json", "{kind}");
        }
        let packed = [("content-type", "application/json"), ("content-encoding", "gzip")];
        assert_eq!(sent(&packed, text).await.unwrap_err().code(), "body_compressed");
    }

    #[tokio::test]
    async fn a_body_too_large_is_refused_whatever_it_declares() {
        assert_eq!(code(vec![b' '; SMALL + 1]).await, "body_too_large");
        let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(b"    ")));
        assert_eq!(code(Body::from_stream(endless)).await, "body_too_large");
        let declared = [("content-type", "application/json"), ("content-length", "999999999")];
        let silent = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(sent(&declared, silent).await.unwrap_err().code(), "body_too_large");
        let million: HashMap<_, _> = (0..1_000_000).map(|key| (key, 0)).collect();
        assert_eq!(code(serde_json::to_vec(&million).unwrap()).await, "body_too_large");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_given_up_on() {
        let drops = stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
        });
        assert_eq!(code(Body::from_stream(Box::pin(drops))).await, "body_too_slow");
    }
}
