//! The message templates of an account, as WeChat has them: looked at, added, deleted.
//!
//! WeChat is asked each time, and its refusals are told with its own words. What changes something is asked
//! for once: whoever lost the answer looks at the list.

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

/// How long a caller waits at most: WeChat's answer usually takes a tenth of a second.
const DEADLINE: Duration = Duration::from_secs(10);

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default()
        .merge(official::router())
        .merge(industry::router())
        .merge(program::router())
        .merge(library::router())
}

/// A template that was added
#[derive(Serialize, ToSchema)]
struct TemplateAddedResponse {
    /// What messages name it by
    #[schema(value_type = String)]
    template_id: TemplateId,
}

/// The number of a template in WeChat's library: `OPENTM207498902`, `99`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct LibraryNumber(String);

impl TryFrom<String> for LibraryNumber {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        match (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            true => Ok(Self(text)),
            false => Err("must be 1 to 64 of the characters A-Z a-z 0-9 _ -"),
        }
    }
}

/// How often a template can be sent to whoever accepts it
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum TemplateKind {
    /// Once for each acceptance
    OneTime,
    /// Again and again
    LongTerm,
}

impl TemplateKind {
    /// After WeChat's number for it.
    fn of(number: i64) -> Option<Self> {
        match number {
            2 => Some(Self::OneTime),
            3 => Some(Self::LongTerm),
            _ => None,
        }
    }
}

/// What WeChat answers, within the caller's patience.
async fn answer<T>(asked: impl Future<Output = Result<T, push::Error>>) -> Result<T, Problem> {
    let answered = tokio::time::timeout(DEADLINE, asked).await;
    let too_slow = |_| {
        Problem::too_slow("wechat_too_slow", "WeChat has not answered in time")
            .hint("it may have done what it was asked for: look before you try again")
    };
    Ok(answered.map_err(too_slow)??)
}
