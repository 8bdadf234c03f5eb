//! Forecasts the calls that the next sync of an account needs, from what is known about it.

use std::cmp::Ordering;

/// Openids per page of `user/get`.
const PAGE_SIZE: u64 = 10_000;

/// Followers per call of `user/info/batchget`.
const BATCH_SIZE: u64 = 100;

/// Profiles that a sync fetches as a probe before it begins.
const PROBED: u64 = 10;

/// What is known about the account.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// Current number of followers.
    pub(super) followers: u64,
    /// Followers mirrored by the latest complete sync; `None` before the first one.
    pub(super) mirrored: Option<u64>,
    /// Mirrored followers without a unionid.
    pub(super) missing: u64,
    /// Days after which a known follower is fetched again.
    pub(super) refresh_days: u64,
    /// Nights since the latest complete sync, including tonight.
    pub(super) nights: u64,
}

/// What the next sync has to fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Need {
    /// Pages of openids, including the empty one at the end.
    pub(super) pages: u64,
    /// Profiles of followers.
    pub(super) profiles: u64,
}

impl Need {
    pub(super) fn of(known: Known) -> Self {
        let pages = known.followers.div_ceil(PAGE_SIZE) + 1;
        let profiles = match known.mirrored {
            None => known.followers,
            Some(mirrored) => {
                let new = known.followers.saturating_sub(mirrored);
                let old = known.followers.min(mirrored);
                let nights = known.nights.min(known.refresh_days);
                let refreshed = (old * nights).div_ceil(known.refresh_days.max(1));
                (new + known.missing + refreshed + PROBED).min(known.followers + PROBED)
            }
        };
        Self { pages, profiles }
    }

    /// Returns the number of `user/info/batchget` calls for the profiles.
    pub(super) fn batches(self) -> u64 {
        self.profiles.div_ceil(BATCH_SIZE)
    }
}

/// Whether a quota is sufficient for the next sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sufficiency {
    /// The remaining quota is sufficient now.
    Now,
    /// The daily quota is sufficient, but only after the next reset.
    AfterReset,
    /// The daily quota is too small.
    Never,
}

impl Sufficiency {
    /// Compares `need` calls with the `remain` of `daily` calls. A missing number does not limit.
    pub(super) fn of(need: u64, remain: Option<i64>, daily: Option<i64>) -> Self {
        let is_less = |quota: Option<i64>| {
            let quota = quota.map(|quota| u64::try_from(quota).unwrap_or(0));
            quota.is_some_and(|quota| quota.cmp(&need) == Ordering::Less)
        };
        match (is_less(daily), is_less(remain)) {
            (true, _) => Self::Never,
            (false, true) => Self::AfterReset,
            (false, false) => Self::Now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Known = Known {
        followers: 1_000_000,
        mirrored: Some(999_000),
        missing: 500,
        refresh_days: 30,
        nights: 1,
    };

    #[test]
    fn a_nightly_sync_needs_pages_new_followers_and_due_refreshes() {
        let need = Need::of(KNOWN);
        assert_eq!(need, Need { pages: 101, profiles: 1_000 + 500 + 33_300 + 10 });
        assert_eq!(need.batches(), 349);
    }

    #[test]
    fn the_first_sync_fetches_every_profile() {
        let need = Need::of(Known { mirrored: None, ..KNOWN });
        assert_eq!((need.profiles, need.batches()), (1_000_000, 10_000));
    }

    #[test]
    fn missed_nights_are_caught_up_without_fetching_anyone_twice() {
        let after = |nights| Need::of(Known { nights, missing: 0, ..KNOWN }).profiles;
        assert_eq!(after(3), 1_000 + 99_900 + 10);
        assert_eq!(after(400), 1_000 + 999_000 + 10);
    }

    #[test]
    fn an_account_that_shrank_has_no_new_followers() {
        let known = Known { followers: 100, missing: 0, ..KNOWN };
        assert_eq!(Need::of(known), Need { pages: 2, profiles: 4 + 10 });
    }

    #[test]
    fn a_quota_is_sufficient_now_after_the_reset_or_never() {
        assert_eq!(Sufficiency::of(100, Some(100), Some(500)), Sufficiency::Now);
        assert_eq!(Sufficiency::of(101, Some(100), Some(500)), Sufficiency::AfterReset);
        assert_eq!(Sufficiency::of(501, Some(500), Some(500)), Sufficiency::Never);
        assert_eq!(Sufficiency::of(u64::MAX, None, None), Sufficiency::Now);
        assert_eq!(Sufficiency::of(1, Some(-3), None), Sufficiency::AfterReset);
    }
}
