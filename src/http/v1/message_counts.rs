//! How many messages of each template were accepted on each day, and how far they have come.

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
use crate::http::paging::{Limit, MOST_CUT, Page, Position};
use crate::http::parameters::Query;
use crate::model::{AccountKind, AppId, MessageState, TemplateId};
use crate::push::DayCount;

/// Days, unless it is said which.
const USUAL_DAYS: i64 = 7;

/// Days in one answer at most: a quarter.
const MOST_DAYS: i64 = 92;

/// WeChat's day begins at midnight, UTC+8.
const OFFSET_SECONDS: i32 = 8 * 3_600;

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default().routes(routes!(count_messages))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CountsQuery {
    /// Only messages that this account sends
    #[param(value_type = Option<String>, pattern = r"^[A-Za-z0-9_-]{1,64}$")]
    appid: Option<AppId>,
    /// The first day, at UTC+8; six days before the last where it is not said
    #[param(value_type = Option<NaiveDate>)]
    from: Option<Day>,
    /// The last day, at UTC+8; today where it is not said
    #[param(value_type = Option<NaiveDate>)]
    to: Option<Day>,
    /// How many at most; 100 where it is not said
    #[param(value_type = Option<u64>, minimum = 1, maximum = 1000)]
    limit: Option<Limit<MOST_CUT>>,
    /// The `next_cursor` of the page before
    #[param(value_type = Option<String>, pattern = "^p[0-7][0-9a-f]{15}$")]
    cursor: Option<Position>,
}

/// A day as `2026-01-31` and in no other spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Day(NaiveDate);

impl TryFrom<String> for Day {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let is_spelt_out = text.len() == "2026-01-31".len()
            && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let day = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok().filter(|_| is_spelt_out);
        day.map(Self).ok_or("a day is written as 2026-01-31")
    }
}

/// Messages of one template that were accepted on one day, by how far they have come
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
struct MessageCount {
    /// The day, at UTC+8
    day: NaiveDate,
    /// The account that sends
    #[schema(value_type = String)]
    appid: AppId,
    /// The template
    #[schema(value_type = String)]
    template_id: TemplateId,
    /// Not taken by WeChat yet
    queued: u64,
    /// Taken by WeChat, and nothing known since
    sent: u64,
    /// Arrived
    delivered: u64,
    /// Will not arrive
    failed: u64,
    /// Perhaps taken by WeChat, whose answer was lost
    unknown: u64,
}

/// How many messages have come how far
///
/// By template and by the day on which they were accepted here. A day of an account that sends 100,000
/// messages a day takes up to a quarter of a second; an answer takes 5 s at most and half a second more for
/// each day asked for, or else it is a 503: ask for fewer days or for one account then.
#[utoipa::path(
    get, path = "/v1/message-counts", tag = "messages", security(("api_key" = ["push"])),
    params(CountsQuery),
    responses(
        (status = 200, description = "The latest day first; a template of which nothing was accepted on a day \
            is left out of it", body = Page<MessageCount>),
        (status = 400, description = "`invalid_query`: `from` is after `to`, or there are more than 92 days. \
            Or a parameter is wrong, unknown or given twice"),
        (status = 404, description = "`account_unknown`: the account is not configured"),
    )
)]
async fn count_messages(
    caller: Caller<auth::Push>,
    State(context): State<Context>,
    Query(asked): Query<CountsQuery>,
) -> Result<Json<Page<MessageCount>>, Problem> {
    let CountsQuery { appid, from, to, limit, cursor } = asked;
    let (first, last) = days(from, to, &context.app.clock)?;
    let appids = accounts::meant(&context, &caller, AccountKind::Any, appid.as_ref())?;
    let counts = context.app.push.count(&appids, first, last).await?;
    Ok(Json(Page::cut(together(counts), limit, cursor, |row| row)))
}

/// The days that are meant.
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
    let usual = || last.checked_sub_signed(TimeDelta::days(USUAL_DAYS - 1)).unwrap_or(last);
    let first = from.map_or_else(usual, |Day(day)| day);
    match (last - first).num_days() {
        0..MOST_DAYS => Ok((first, last)),
        _ => {
            let detail = format!("from {first} to {last} there are not 1 to {MOST_DAYS} days");
            Err(Problem::bad_request("invalid_query", detail).hint("ask for less at a time"))
        }
    }
}

/// One row for each day, account and template.
fn together(counts: Vec<DayCount>) -> Vec<MessageCount> {
    let mut rows: Vec<MessageCount> = Vec::new();
    for DayCount { day, appid, template_id, state, messages } in counts {
        let is_of = |row: &MessageCount| {
            row.day == day && row.appid == appid && row.template_id == template_id
        };
        if !rows.last().is_some_and(is_of) {
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
            *row.of(state) += messages;
        }
    }
    rows
}

impl MessageCount {
    fn of(&mut self, state: MessageState) -> &mut u64 {
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
    fn a_day_has_one_spelling() {
        assert!(day("2026-01-31").is_some());
        for text in ["2026-02-30", "2026-1-31", "+026-01-31", "2026-01-3 ", "20260131", "", "\0"] {
            assert_eq!(day(text), None, "{text}");
        }
    }

    #[test]
    fn a_week_until_today_in_china_is_meant_where_nothing_is_said() {
        let at = |text: &str| Clock::manual(text.parse::<DateTime<chrono::Utc>>().unwrap());
        let meant = |from, to, clock: &Clock| {
            let (first, last) = days(from, to, clock).map_err(|problem| problem.code())?;
            Ok::<_, &str>(format!("{first} {last}"))
        };
        let clock = at("2026-01-31T15:59:59Z");
        assert_eq!(meant(None, None, &clock).unwrap(), "2026-01-25 2026-01-31");
        let clock = at("2026-01-31T16:00:00Z");
        assert_eq!(meant(None, None, &clock).unwrap(), "2026-01-26 2026-02-01");
        assert_eq!(meant(None, day("2026-01-01"), &clock).unwrap(), "2025-12-26 2026-01-01");
        assert_eq!(meant(day("2025-11-02"), None, &clock).unwrap(), "2025-11-02 2026-02-01");
        for (from, to) in [
            ("2025-11-01", "2026-02-01"),
            ("2026-01-02", "2026-01-01"),
            ("0000-01-01", "9999-12-31"),
        ] {
            assert_eq!(meant(day(from), day(to), &clock).unwrap_err(), "invalid_query", "{from}");
        }
    }
}
