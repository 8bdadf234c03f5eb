//! Decodes answers without a network, for the fuzz targets.
//!
//! Compiled only if `cargo fuzz` sets `cfg(fuzzing)`. Adds no rules of its own.

use serde::de::DeserializeOwned;

use super::decode::json_repair::repair;
use super::decode::{Decoded, decode};
use super::profile::Row;
use super::{FollowerPage, Upstream, login, quota, subscribe, template, token, users};

/// `Ok(None)` for an answer, `Ok(Some(_))` for an error that WeChat returned, and `Err(_)` with the problem
/// if the bytes cannot be decoded.
pub type Outcome = Result<Option<Upstream>, String>;

/// Decodes the bytes as the answer of each kind of call. `redacted` is a value that errors must not repeat.
pub fn read_answer(bytes: &[u8], redacted: &str) -> [Outcome; 8] {
    [
        read::<users::Page>(bytes, redacted, |page| drop(FollowerPage::from(page))),
        read::<users::Batch>(bytes, redacted, drop),
        read::<Row>(bytes, redacted, drop),
        read::<quota::Answer>(bytes, redacted, drop),
        read::<token::Granted>(bytes, redacted, |granted| drop(granted.into_token())),
        read::<template::Templates>(bytes, redacted, |templates| {
            templates.into_list().iter().for_each(|template| drop(template.keys()));
        }),
        read::<subscribe::Accepted>(bytes, redacted, drop),
        read::<login::Granted>(bytes, redacted, |granted| drop(granted.into_session())),
    ]
}

/// Repairs the bytes if they are not valid JSON.
pub fn repair_json(bytes: &[u8]) -> String {
    repair(bytes)
}

fn read<T: DeserializeOwned>(bytes: &[u8], redacted: &str, make: impl FnOnce(T)) -> Outcome {
    match decode::<T>(bytes)? {
        Decoded::Answer(answer) => {
            make(answer);
            Ok(None)
        }
        Decoded::Refusal { errcode, errmsg } => {
            let upstream = Upstream::new(errcode, &errmsg, std::iter::once(redacted));
            upstream.seen_address();
            Ok(Some(upstream))
        }
    }
}
