//! What the next sync of an account asks of WeChat, from what is known of it.

use std::cmp::Ordering;

/// Openids on a page.
const PAGE: u64 = 10_000;

/// Followers in a call.
const BATCH: u64 = 100;

/// A sync asks a handful again before it begins.
const PROBED: u64 = 10;

/// What is known of the account.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// Followers now.
    pub(super) followers: u64,
    /// Followers mirrored by the latest complete sync; `None` before the first.
    pub(super) mirrored: Option<u64>,
    /// Of these, those without a unionid.
    pub(super) missing: u64,
    /// A known follower is asked again after this many days.
    pub(super) refresh_days: u64,
    /// Nights since the latest complete sync, tonight included.
    pub(super) nights: u64,
}

/// Calls that the next sync makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Need {
    /// Pages of openids, the empty one at the end included.
    pub(super) pages: u64,
    /// Followers whose profile is asked for.
    pub(super) profiles: u64,
}

impl Need {
    pub(super) fn of(known: Known) -> Self {
        let pages = known.followers.div_ceil(PAGE) + 1;
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

    /// Calls that ask for a hundred at once.
    pub(super) fn batches(self) -> u64 {
        self.profiles.div_ceil(BATCH)
    }
}

/// How far an allowance carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Far enough now.
    Enough,
    /// Far enough on a day that nothing else was called on.
    AfterReset,
    /// Not far enough on any day.
    Never,
}

impl Reach {
    /// How far `remain` of `daily` calls carry where `need` are needed. What WeChat did not say is no
    /// bound.
    pub(super) fn of(need: u64, remain: Option<i64>, daily: Option<i64>) -> Self {
        let is_less = |allowed: Option<i64>| {
            let allowed = allowed.map(|allowed| u64::try_from(allowed).unwrap_or(0));
            allowed.is_some_and(|allowed| allowed.cmp(&need) == Ordering::Less)
        };
        match (is_less(daily), is_less(remain)) {
            (true, _) => Self::Never,
            (false, true) => Self::AfterReset,
            (false, false) => Self::Enough,
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
    fn a_night_costs_pages_newcomers_and_its_share_of_the_known() {
        let need = Need::of(KNOWN);
        assert_eq!(need, Need { pages: 101, profiles: 1_000 + 500 + 33_300 + 10 });
        assert_eq!(need.batches(), 349);
    }

    #[test]
    fn the_first_sync_asks_for_everybody() {
        let need = Need::of(Known { mirrored: None, ..KNOWN });
        assert_eq!((need.profiles, need.batches()), (1_000_000, 10_000));
    }

    #[test]
    fn nights_that_were_missed_are_asked_for_and_nobody_twice() {
        let after = |nights| Need::of(Known { nights, missing: 0, ..KNOWN }).profiles;
        assert_eq!(after(3), 1_000 + 99_900 + 10);
        assert_eq!(after(400), 1_000 + 999_000 + 10);
    }

    #[test]
    fn an_account_that_shrank_has_no_newcomers() {
        let known = Known { followers: 100, missing: 0, ..KNOWN };
        assert_eq!(Need::of(known), Need { pages: 2, profiles: 4 + 10 });
    }

    #[test]
    fn an_allowance_may_do_today_tomorrow_or_never() {
        assert_eq!(Reach::of(100, Some(100), Some(500)), Reach::Enough);
        assert_eq!(Reach::of(101, Some(100), Some(500)), Reach::AfterReset);
        assert_eq!(Reach::of(501, Some(500), Some(500)), Reach::Never);
        assert_eq!(Reach::of(u64::MAX, None, None), Reach::Enough);
        assert_eq!(Reach::of(1, Some(-3), None), Reach::AfterReset);
    }
}
