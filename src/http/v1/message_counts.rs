//! `/v1/message-counts`: messages by day, template and state.

use axum::extract::State;
use chrono::{FixedOffset, NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::accounts;
use crate::clock::Clock;
use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::Json;
use crate::http::error::Problem;
use crate::http::paging::{Limit, MAX_PAGE_SIZE, Page, Position};
use crate::http::parameters::Query;
use crate::model::{AccountKind, AppId, MessageState, TemplateId};
use crate::push::DayCount;

/// The number of days without `from`.
const DEFAULT_DAYS: i64 = 7;

/// The maximum number of days in one request: a quarter of a year.
const MAX_DAYS: i64 = 92;

/// WeChat's days begin at midnight UTC+8.
const OFFSET_SECONDS: i32 = 8 * 3_600;

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default().routes(routes!(count_messages))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CountsQuery {
    /// Only messages that this account sends, by its AppID
    #[param(value_type = Option<String>, pattern = r"^[A-Za-z0-9_-]{1,64}$")]
    appid: Option<AppId>,
    /// The first day, in UTC+8; six days before `to` by default
    #[param(value_type = Option<NaiveDate>)]
    from: Option<Day>,
    /// The last day, inclusive, in UTC+8; today by default
    #[param(value_type = Option<NaiveDate>)]
    to: Option<Day>,
    /// The maximum number of entries on the page; 100 by default
    #[param(value_type = Option<u64>, minimum = 1, maximum = 1000)]
    limit: Option<Limit<MAX_PAGE_SIZE>>,
    /// The `next_cursor` of the previous page; left out for the first page
    #[param(value_type = Option<String>, pattern = "^p[0-7][0-9a-f]{15}$")]
    cursor: Option<Position>,
}

/// A day written as `2026-01-31`; other notations are rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Day(NaiveDate);

impl TryFrom<String> for Day {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let is_plain = text.len() == "2026-01-31".len()
            && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let day = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok().filter(|_| is_plain);
        day.map(Self).ok_or("a day must be written as 2026-01-31")
    }
}

/// The messages of one template that were accepted on one day, by their present state
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
struct MessageCount {
    /// The day on which this service accepted the messages, in UTC+8
    day: NaiveDate,
    /// The AppID of the account that sends the messages
    #[schema(value_type = String)]
    appid: AppId,
    /// The id of the template
    #[schema(value_type = String)]
    template_id: TemplateId,
    /// Messages that WeChat has not accepted yet
    queued: u64,
    /// Messages that WeChat accepted, without a receipt so far
    sent: u64,
    /// Messages that WeChat delivered
    delivered: u64,
    /// Messages that will not be delivered
    failed: u64,
    /// Messages that WeChat may have accepted: its response was lost
    unknown: u64,
}

/// Count messages by day, template and state
///
/// Counting takes up to 0.25 s per day of an account that sends 100,000 messages a day. The time limit is 5 s
/// plus 0.5 s for each requested day; beyond it the response is a 503. Then request fewer days or a single
/// account.
#[utoipa::path(
    get, path = "/v1/message-counts", tag = "messages", security(("api_key" = ["push"])),
    params(CountsQuery),
    responses(
        (status = 200, body = Page<MessageCount>,
            description = "The latest day first. Templates without messages on a day are left out"),
        (status = 400, description = "`invalid_query`: `from` is after `to`, more than 92 days are \
            requested, or a parameter is invalid, unknown or given twice"),
        (status = 404, description = "`account_unknown`: the account is not configured"),
    )
)]
async fn count_messages(
    caller: Caller<auth::Push>,
    State(context): State<Context>,
    Query(query): Query<CountsQuery>,
) -> Result<Json<Page<MessageCount>>, Problem> {
    let CountsQuery { appid, from, to, limit, cursor } = query;
    let (first, last) = days(from, to, &context.app.clock)?;
    let appids = accounts::select(&context, &caller, AccountKind::Any, appid.as_ref())?;
    let counts = context.app.push.count(&appids, first, last).await?;
    Ok(Json(Page::slice(group(counts), limit, cursor, |row| row)))
}

/// Returns the first and the last requested day.
fn days(
    from: Option<Day>,
    to: Option<Day>,
    clock: &Clock,
) -> Result<(NaiveDate, NaiveDate), Problem> {
    let today = || {
        let offset = FixedOffset::east_opt(OFFSET_SECONDS);
        offset.map_or_else(NaiveDate::default, |offset| {
            clock.now().with_timezone(&offset).date_naive()
        })
    };
    let last = to.map_or_else(today, |Day(day)| day);
    let default = || last.checked_sub_signed(TimeDelta::days(DEFAULT_DAYS - 1)).unwrap_or(last);
    let first = from.map_or_else(default, |Day(day)| day);
    match (last - first).num_days() {
        0..MAX_DAYS => Ok((first, last)),
        _ => {
            let detail = format!("the range from {first} to {last} is not 1 to {MAX_DAYS} days");
            Err(Problem::bad_request("invalid_query", detail)
                .hint("`from` must not be after `to`; request long ranges in parts"))
        }
    }
}

/// Merges the counts of each day, account and template into one row.
fn group(counts: Vec<DayCount>) -> Vec<MessageCount> {
    let mut rows: Vec<MessageCount> = Vec::new();
    for DayCount { day, appid, template_id, state, messages } in counts {
        let is_same = |row: &MessageCount| {
            row.day == day && row.appid == appid && row.template_id == template_id
        };
        if !rows.last().is_some_and(is_same) {
            let (queued, sent, delivered, failed, unknown) = (0, 0, 0, 0, 0);
            rows.push(MessageCount {
                day,
                appid,
                template_id,
                queued,
                sent,
                delivered,
                failed,
                unknown,
            });
        }
        if let Some(row) = rows.last_mut() {
            *row.count_mut(state) += messages;
        }
    }
    rows
}

impl MessageCount {
    fn count_mut(&mut self, state: MessageState) -> &mut u64 {
        match state {
            MessageState::Queued => &mut self.queued,
            MessageState::Sent => &mut self.sent,
            MessageState::Delivered => &mut self.delivered,
            MessageState::Failed => &mut self.failed,
            MessageState::Unknown => &mut self.unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn day(text: &str) -> Option<Day> {
        Day::try_from(text.to_owned()).ok()
    }

    #[test]
    fn a_day_is_accepted_only_as_yyyy_mm_dd() {
        assert!(day("2026-01-31").is_some());
        for text in ["2026-02-30", "2026-1-31", "+026-01-31", "2026-01-3 ", "20260131", "", "\0"] {
            assert_eq!(day(text), None, "{text}");
        }
    }

    #[test]
    fn the_default_range_is_the_week_until_today_in_china() {
        let at = |text: &str| Clock::manual(text.parse::<DateTime<chrono::Utc>>().unwrap());
        let range = |from, to, clock: &Clock| {
            let (first, last) = days(from, to, clock).map_err(|problem| problem.code())?;
            Ok::<_, &str>(format!("{first} {last}"))
        };
        let clock = at("2026-01-31T15:59:59Z");
        assert_eq!(range(None, None, &clock).unwrap(), "2026-01-25 2026-01-31");
        let clock = at("2026-01-31T16:00:00Z");
        assert_eq!(range(None, None, &clock).unwrap(), "2026-01-26 2026-02-01");
        assert_eq!(range(None, day("2026-01-01"), &clock).unwrap(), "2025-12-26 2026-01-01");
        assert_eq!(range(day("2025-11-02"), None, &clock).unwrap(), "2025-11-02 2026-02-01");
        for (from, to) in [
            ("2025-11-01", "2026-02-01"),
            ("2026-01-02", "2026-01-01"),
            ("0000-01-01", "9999-12-31"),
        ] {
            assert_eq!(range(day(from), day(to), &clock).unwrap_err(), "invalid_query", "{from}");
        }
    }
}
