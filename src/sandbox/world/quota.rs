//! Daily quotas of one account, counted per call and reset at midnight, UTC+8.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::china_day;
use crate::sandbox::call::Call;
use crate::sandbox::errcode::Refusal;
use crate::sandbox::locks::lock;

/// Resets that `clear_quota` allows within [`CLEAR_WINDOW_DAYS`]. WeChat counts by calendar month.
const MAX_CLEARS: usize = 10;

const CLEAR_WINDOW_DAYS: i64 = 30;

/// An account's limits and today's usage.
#[derive(Debug)]
pub(crate) struct Quotas {
    store: Mutex<QuotaStore>,
}

#[derive(Debug)]
struct QuotaStore {
    limits: BTreeMap<Call, u64>,
    used: BTreeMap<Call, u64>,
    /// The day that `used` counts.
    day: i64,
    /// The days of recent resets by `clear_quota`.
    cleared: Vec<i64>,
}

impl QuotaStore {
    fn start_day(&mut self, day: i64) {
        if self.day != day {
            self.day = day;
            self.used.clear();
        }
    }
}

impl Quotas {
    pub(crate) fn new(limits: BTreeMap<Call, u64>) -> Self {
        let (used, cleared) = (BTreeMap::new(), Vec::new());
        Self { store: Mutex::new(QuotaStore { limits, used, day: 0, cleared }) }
    }

    /// Charges one call. Refuses it with 45009 if the quota is used up.
    pub(crate) fn charge(&self, call: Call, now: i64) -> Result<(), Refusal> {
        let mut store = lock(&self.store);
        store.start_day(china_day(now));
        let limit = store.limits.get(&call).copied().unwrap_or(u64::MAX);
        let used = store.used.entry(call).or_default();
        if *used >= limit {
            return Err(Refusal::of(45009));
        }
        *used += 1;
        Ok(())
    }

    /// Returns the limit, if any, and the number of calls today.
    pub(crate) fn limit_and_used(&self, call: Call, now: i64) -> (Option<u64>, u64) {
        let mut store = lock(&self.store);
        store.start_day(china_day(now));
        let used = store.used.get(&call).copied().unwrap_or_default();
        (store.limits.get(&call).copied(), used)
    }

    /// Sets the limit of a call; `None` removes it.
    pub(crate) fn set_limit(&self, call: Call, limit: Option<u64>) {
        let mut store = lock(&self.store);
        match limit {
            Some(limit) => store.limits.insert(call, limit),
            None => store.limits.remove(&call),
        };
    }

    /// Resets today's usage.
    pub(crate) fn reset(&self) {
        lock(&self.store).used.clear();
    }

    /// Resets today's usage as `clear_quota` does: refuses with 48006 after [`MAX_CLEARS`] resets.
    pub(crate) fn clear(&self, now: i64) -> Result<(), Refusal> {
        let mut store = lock(&self.store);
        let today = china_day(now);
        store.cleared.retain(|day| today - day < CLEAR_WINDOW_DAYS);
        if store.cleared.len() >= MAX_CLEARS {
            return Err(Refusal::of(48006));
        }
        store.cleared.push(today);
        store.used.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::DAY_MILLIS;
    use super::*;

    #[test]
    fn an_exhausted_quota_is_renewed_at_midnight_in_china() {
        let quotas = Quotas::new(BTreeMap::from([(Call::UserGet, 2)]));
        let late = DAY_MILLIS - 8 * 3_600_000 - 1;
        assert!(quotas.charge(Call::UserGet, late).is_ok());
        assert!(quotas.charge(Call::UserGet, late).is_ok());
        assert_eq!(quotas.charge(Call::UserGet, late), Err(Refusal::of(45009)));
        assert!(quotas.charge(Call::UserInfo, late).is_ok());
        assert!(quotas.charge(Call::UserGet, late + 1).is_ok());
    }

    #[test]
    fn a_quota_can_be_cleared_ten_times_a_month() {
        let quotas = Quotas::new(BTreeMap::from([(Call::UserGet, 0)]));
        assert!((0..10).all(|_| quotas.clear(0).is_ok()));
        assert_eq!(quotas.clear(0), Err(Refusal::of(48006)));
        assert!(quotas.clear(30 * DAY_MILLIS).is_ok());
    }
}
