//! The industries of each Official Account. They can be changed once a month.

use std::sync::Mutex;

use chrono::{DateTime, Datelike};

use super::CHINA_OFFSET_MILLIS;
use crate::sandbox::errcode::Refusal;
use crate::sandbox::locks::lock;

#[derive(Debug, Clone)]
struct Industry {
    ids: [String; 2],
    /// The month in which they were set, as year and month.
    set_in: Option<(i32, u32)>,
}

/// The industries of all accounts.
#[derive(Debug)]
pub(crate) struct Industries {
    store: Mutex<Vec<Industry>>,
}

impl Industries {
    pub(crate) fn new(accounts: usize) -> Self {
        let first = Industry { ids: ["1".to_owned(), "4".to_owned()], set_in: None };
        Self { store: Mutex::new(vec![first; accounts]) }
    }

    pub(crate) fn of(&self, account: usize) -> [String; 2] {
        lock(&self.store)[account].ids.clone()
    }

    /// Sets the industries of an account. Refuses a second change within a month with 43100.
    pub(crate) fn set(&self, account: usize, ids: [String; 2], now: i64) -> Result<(), Refusal> {
        let industry = &mut lock(&self.store)[account];
        let month = china_month(now);
        if industry.set_in.is_some() && industry.set_in == month {
            return Err(Refusal::of(43100));
        }
        *industry = Industry { ids, set_in: month };
        Ok(())
    }
}

/// Returns the year and month in China. `millis` is Unix time in ms.
fn china_month(millis: i64) -> Option<(i32, u32)> {
    let local = DateTime::from_timestamp_millis(millis + CHINA_OFFSET_MILLIS)?;
    Some((local.year(), local.month()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn industries_change_once_per_calendar_month_in_china() {
        let industries = Industries::new(1);
        let set = |ids: [&str; 2], now: &str| {
            let now = DateTime::parse_from_rfc3339(now).unwrap().timestamp_millis();
            let set = industries.set(0, ids.map(str::to_owned), now);
            set.map_err(|refusal| refusal.errcode)
        };
        assert_eq!(set(["2", "3"], "2026-01-01T00:00:00+08:00"), Ok(()));
        assert_eq!(set(["5", "6"], "2026-01-31T23:59:59+08:00"), Err(43100));
        assert_eq!(industries.of(0), ["2", "3"]);
        assert_eq!(set(["5", "6"], "2026-02-01T00:00:00+08:00"), Ok(()));
        assert_eq!(set(["7", "8"], "2027-02-01T00:00:00+08:00"), Ok(()));
    }
}
