//! The message templates of an account in WeChat: list, add and delete them.
//!
//! Every request calls WeChat, and WeChat's errors are returned to the caller. Changes are not retried: a
//! caller that lost the response has to check the list.

mod industry;
mod library;
mod official;
mod program;
mod refusals;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use crate::http::Context;
use crate::http::error::Problem;
use crate::model::TemplateId;
use crate::push;

pub use industry::IndustryResponse;
pub use library::{CategoryResponse, KeywordResponse, LibraryTemplate};
pub use official::TemplateResponse;
pub use program::SubscribeTemplateResponse;

use refusals::{MiniProgramRefusals, OfficialAccountRefusals, WechatRefusals};

/// The longest time a caller waits. WeChat usually answers within 100 ms.
const DEADLINE: Duration = Duration::from_secs(10);

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default()
        .merge(official::router())
        .merge(industry::router())
        .merge(program::router())
        .merge(library::router())
}

/// An added template
#[derive(Serialize, ToSchema)]
struct TemplateAddedResponse {
    /// The id of the template, for `template_id` of a message
    #[schema(value_type = String)]
    template_id: TemplateId,
}

/// The id of a template in WeChat's library, such as `OPENTM207498902` or `99`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct LibraryId(String);

impl TryFrom<String> for LibraryId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        match (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            true => Ok(Self(text)),
            false => Err("must be 1 to 64 of the characters A-Z a-z 0-9 _ -"),
        }
    }
}

/// How often a template can be sent to a user who consents: `one_time`, once per consent, or `long_term`,
/// any number of times
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum TemplateKind {
    /// Once for each consent
    OneTime,
    /// Any number of times
    LongTerm,
}

impl TemplateKind {
    /// Converts WeChat's number.
    fn of(number: i64) -> Option<Self> {
        match number {
            2 => Some(Self::OneTime),
            3 => Some(Self::LongTerm),
            _ => None,
        }
    }
}

/// Waits for WeChat's response until [`DEADLINE`].
async fn respond<T>(call: impl Future<Output = Result<T, push::Error>>) -> Result<T, Problem> {
    let response = tokio::time::timeout(DEADLINE, call).await;
    let too_slow = |_| {
        Problem::gateway_timeout("wechat_too_slow", "WeChat did not respond in time")
            .hint("WeChat may have made the change: check its current state before you try again")
    };
    Ok(response.map_err(too_slow)??)
}
