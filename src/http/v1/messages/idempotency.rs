//! `Idempotency-Key`: a name that a caller gives a request, so that it can be repeated without being done
//! twice.
//!
//! Kept are digests: of the name, and of what was understood of the request. Blanks and the order of
//! members make no other request of it.

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

/// The longest name.
const MOST_BYTES: usize = 255;

/// The name that a request came with, if any.
#[derive(Debug)]
pub(super) struct IdempotencyKey(Option<String>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut sent = parts.headers.get_all(HEADER).iter();
        match (sent.next(), sent.next()) {
            (None, _) => Ok(Self(None)),
            (Some(name), None) if is_name(name.as_bytes()) => {
                Ok(Self(name.to_str().ok().map(str::to_owned)))
            }
            _ => {
                let detail = "an Idempotency-Key has 1 to 255 visible ASCII characters";
                Err(Problem::bad_request("idempotency_key_invalid", detail)
                    .hint("send a new UUID for each message, once"))
            }
        }
    }
}

fn is_name(name: &[u8]) -> bool {
    (1..=MOST_BYTES).contains(&name.len()) && name.iter().all(u8::is_ascii_graphic)
}

impl IdempotencyKey {
    /// The request as it is told from others: by its caller and its name, and what it asks of `route`.
    /// `waits` says whether its answer comes later.
    pub(super) fn name(
        &self,
        caller: &Caller<auth::Push>,
        route: &str,
        asked: &impl Serialize,
        waits: bool,
    ) -> Result<Option<IdempotentRequest>, Problem> {
        let Some(name) = &self.0 else { return Ok(None) };
        let asked = serde_json::to_vec(asked).map_err(|error| Problem::internal(&error))?;
        let body = Sha256::new().chain_update(route).chain_update("\n").chain_update(asked);
        let request = Request {
            owner: caller.owner().to_owned(),
            name: URL_SAFE_NO_PAD.encode(Sha256::digest(name)),
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
        read.map(|IdempotencyKey(name)| name).map_err(|problem| problem.code())
    }

    #[tokio::test]
    async fn a_name_is_short_visible_and_the_only_one() {
        assert_eq!(read(&[]).await, Ok(None));
        let longest = "x".repeat(MOST_BYTES);
        for name in ["order-17", "\"quoted\"", "~", &longest] {
            assert_eq!(read(&[name]).await, Ok(Some(name.to_owned())));
        }
        let long = "x".repeat(MOST_BYTES + 1);
        for names in [&[""][..], &["a b"], &["a\tb"], &["é"], &[&long], &["a", "a"]] {
            assert_eq!(read(names).await, Err("idempotency_key_invalid"), "{names:?}");
        }
    }
}
