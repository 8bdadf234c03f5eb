//! How answers are read, without a network in front: for the fuzz targets alone.
//!
//! Compiled only where `cargo fuzz` sets `cfg(fuzzing)`. Adds no rule of its own.

use serde::de::DeserializeOwned;

use super::decode::{Decoded, decode};
use super::json_repair::repair;
use super::profile::Row;
use super::{FollowerPage, Upstream, login, quota, subscribe, template, token, users};

/// What was read: an answer, or WeChat's words about a failure, or what is wrong with the bytes.
pub type Outcome = Result<Option<Upstream>, String>;

/// Reads the bytes as the answer of each kind of call; `redacted` is what the request says must not be repeated.
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

/// The bytes as JSON, mended where they were none.
pub fn mend(bytes: &[u8]) -> String {
    json_repair(bytes)
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
