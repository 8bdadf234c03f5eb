//! Daily quotas of one account. They are counted per call and start again at midnight, UTC+8.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::china_day;
use crate::sandbox::call::Call;
use crate::sandbox::errcode::Refusal;
use crate::sandbox::locks::lock;

/// Resets that `clear_quota` grants in 30 days; the vendor counts by calendar month.
const CLEARS: usize = 10;

const CLEAR_DAYS: i64 = 30;

/// What an account has used of its quotas today.
#[derive(Debug)]
pub(crate) struct Quotas {
    book: Mutex<QuotaStore>,
}

#[derive(Debug)]
struct QuotaStore {
    limits: BTreeMap<Call, u64>,
    used: BTreeMap<Call, u64>,
    day: i64,
    cleared: Vec<i64>,
}

impl QuotaStore {
    fn turn_to(&mut self, day: i64) {
        if self.day != day {
            self.day = day;
            self.used.clear();
        }
    }
}

impl Quotas {
    pub(crate) fn new(limits: BTreeMap<Call, u64>) -> Self {
        let (used, cleared) = (BTreeMap::new(), Vec::new());
        Self { book: Mutex::new(QuotaStore { limits, used, day: 0, cleared }) }
    }

    /// Charges one call, or refuses it with 45009.
    pub(crate) fn charge(&self, call: Call, now: i64) -> Result<(), Refusal> {
        let mut book = lock(&self.book);
        book.turn_to(china_day(now));
        let limit = book.limits.get(&call).copied().unwrap_or(u64::MAX);
        let used = book.used.entry(call).or_default();
        if *used >= limit {
            return Err(Refusal::of(45009));
        }
        *used += 1;
        Ok(())
    }

    /// The limit, if there is one, and what was used of it today.
    pub(crate) fn standing(&self, call: Call, now: i64) -> (Option<u64>, u64) {
        let mut book = lock(&self.book);
        book.turn_to(china_day(now));
        let used = book.used.get(&call).copied().unwrap_or_default();
        (book.limits.get(&call).copied(), used)
    }

    pub(crate) fn limit(&self, call: Call, limit: Option<u64>) {
        let mut book = lock(&self.book);
        match limit {
            Some(limit) => book.limits.insert(call, limit),
            None => book.limits.remove(&call),
        };
    }

    /// Starts today's counting again.
    pub(crate) fn reset(&self) {
        lock(&self.book).used.clear();
    }

    /// What `clear_quota` does: the same, but only so often.
    pub(crate) fn clear(&self, now: i64) -> Result<(), Refusal> {
        let mut book = lock(&self.book);
        let today = china_day(now);
        book.cleared.retain(|day| today - day < CLEAR_DAYS);
        if book.cleared.len() >= CLEARS {
            return Err(Refusal::of(48006));
        }
        book.cleared.push(today);
        book.used.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::DAY_MILLIS;
    use super::*;

    #[test]
    fn a_spent_quota_comes_back_at_midnight_in_china() {
        let quotas = Quotas::new(BTreeMap::from([(Call::UserGet, 2)]));
        let late = DAY_MILLIS - 8 * 3_600_000 - 1;
        assert!(quotas.charge(Call::UserGet, late).is_ok());
        assert!(quotas.charge(Call::UserGet, late).is_ok());
        assert_eq!(quotas.charge(Call::UserGet, late), Err(Refusal::of(45009)));
        assert!(quotas.charge(Call::UserInfo, late).is_ok());
        assert!(quotas.charge(Call::UserGet, late + 1).is_ok());
    }

    #[test]
    fn ten_resets_are_all_there_are() {
        let quotas = Quotas::new(BTreeMap::from([(Call::UserGet, 0)]));
        assert!((0..10).all(|_| quotas.clear(0).is_ok()));
        assert_eq!(quotas.clear(0), Err(Refusal::of(48006)));
        assert!(quotas.clear(30 * DAY_MILLIS).is_ok());
    }
}
