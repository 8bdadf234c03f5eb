//! `Idempotency-Key`: the caller's name for a request, which makes it safe to repeat.
//!
//! Only digests are stored: of the key, and of the parsed request. So whitespace and the order of members do
//! not make a request a different one.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::http::auth::{self, Caller};
use crate::http::error::Problem;
use crate::push::IdempotentRequest;
use crate::store::message_requests::Request;

const HEADER: &str = "idempotency-key";

/// The longest key.
const MAX_BYTES: usize = 255;

/// The key of a request, if it has one.
#[derive(Debug)]
pub(super) struct IdempotencyKey(Option<String>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut sent = parts.headers.get_all(HEADER).iter();
        match (sent.next(), sent.next()) {
            (None, _) => Ok(Self(None)),
            (Some(key), None) if is_valid(key.as_bytes()) => {
                Ok(Self(key.to_str().ok().map(str::to_owned)))
            }
            _ => {
                let detail = "the request must have at most one Idempotency-Key, of 1 to 255 visible \
                              ASCII characters";
                Err(Problem::bad_request("idempotency_key_invalid", detail)
                    .hint("use a new UUID for each message"))
            }
        }
    }
}

fn is_valid(key: &[u8]) -> bool {
    (1..=MAX_BYTES).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic)
}

impl IdempotencyKey {
    /// Identifies the request by its caller and key, and by a digest of `route` and the parsed body. `waits`:
    /// whether the response is stored later, once WeChat has answered. Returns `None` without a key.
    pub(super) fn identify(
        &self,
        caller: &Caller<auth::Push>,
        route: &str,
        body: &impl Serialize,
        waits: bool,
    ) -> Result<Option<IdempotentRequest>, Problem> {
        let Some(key) = &self.0 else { return Ok(None) };
        let body = serde_json::to_vec(body).map_err(|error| Problem::internal(&error))?;
        let body = Sha256::new().chain_update(route).chain_update("\n").chain_update(body);
        let request = Request {
            owner: caller.owner().to_owned(),
            name: URL_SAFE_NO_PAD.encode(Sha256::digest(key)),
            body: URL_SAFE_NO_PAD.encode(body.finalize()),
        };
        Ok(Some(IdempotentRequest { request, waits }))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    async fn read(headers: &[&str]) -> Result<Option<String>, &'static str> {
        let mut request = Request::post("/");
        for value in headers {
            request = request.header(HEADER, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let read = IdempotencyKey::from_request_parts(&mut parts, &()).await;
        read.map(|IdempotencyKey(key)| key).map_err(|problem| problem.code())
    }

    #[tokio::test]
    async fn an_idempotency_key_is_a_single_short_header_of_visible_ascii() {
        assert_eq!(read(&[]).await, Ok(None));
        let longest = "x".repeat(MAX_BYTES);
        for key in ["order-17", "\"quoted\"", "~", &longest] {
            assert_eq!(read(&[key]).await, Ok(Some(key.to_owned())));
        }
        let long = "x".repeat(MAX_BYTES + 1);
        for keys in [&[""][..], &["a b"], &["a\tb"], &["é"], &[&long], &["a", "a"]] {
            assert_eq!(read(keys).await, Err("idempotency_key_invalid"), "{keys:?}");
        }
    }
}
