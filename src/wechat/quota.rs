//! The daily quota of an account.

use chrono::{DateTime, Days, FixedOffset, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

use super::decode::lenient::Integer;
use super::transport::request::{Call, Request};
use super::{Account, Error};

const QUOTA_GET: Call = Call::with_token("/cgi-bin/openapi/quota/get");

/// The quota of one call. WeChat's `used` may be off by about 1 %. A field is `None` if WeChat leaves it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Quota {
    /// Calls per day.
    pub daily_limit: Option<i64>,
    /// Calls made today, by all systems that use the account.
    pub used: Option<i64>,
    /// Calls left today.
    pub remain: Option<i64>,
    /// The limit for a shorter period, if there is one.
    pub rate_limit: Option<RateLimit>,
}

/// The number of calls allowed within a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RateLimit {
    /// The number of calls.
    pub call_count: i64,
    /// The period in seconds.
    pub refresh_seconds: i64,
}

/// Returns when WeChat next resets daily quotas: at midnight UTC+8.
pub fn next_renewal(now: DateTime<Utc>) -> DateTime<Utc> {
    const OFFSET_SECONDS: i32 = 8 * 60 * 60;
    let Some(offset) = FixedOffset::east_opt(OFFSET_SECONDS) else { return now };
    let tomorrow = now.with_timezone(&offset).date_naive() + Days::new(1);
    let midnight = tomorrow.and_time(NaiveTime::MIN).and_local_timezone(offset);
    midnight.earliest().map_or(now, |midnight| midnight.to_utc())
}

#[derive(Serialize)]
struct RequestBody<'a> {
    cgi_path: &'a str,
}

#[derive(Deserialize)]
pub(super) struct Answer {
    quota: Option<Daily>,
    rate_limit: Option<Rate>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Daily {
    daily_limit: Integer,
    used: Integer,
    remain: Integer,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Rate {
    call_count: Integer,
    refresh_second: Integer,
}

impl Account {
    /// Returns the quota of the call with this path, such as `/cgi-bin/user/get`.
    pub async fn quota(&self, cgi_path: &str) -> Result<Quota, Error> {
        let request = Request::post(QUOTA_GET, &RequestBody { cgi_path });
        let Answer { quota, rate_limit } = self.call(&request).await?;
        let daily = quota.unwrap_or_default();
        let rate_limit = rate_limit.and_then(|rate| {
            let (call_count, refresh_seconds) = (rate.call_count.0?, rate.refresh_second.0?);
            Some(RateLimit { call_count, refresh_seconds })
        });
        Ok(Quota {
            daily_limit: daily.daily_limit.0,
            used: daily.used.0,
            remain: daily.remain.0,
            rate_limit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_renew_at_midnight_in_china() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let morning_in_china = at("2026-03-01T23:30:00Z");
        assert_eq!(next_renewal(morning_in_china), at("2026-03-02T16:00:00Z"));
        let a_minute_before = at("2026-03-01T15:59:00Z");
        assert_eq!(next_renewal(a_minute_before), at("2026-03-01T16:00:00Z"));
    }
}
