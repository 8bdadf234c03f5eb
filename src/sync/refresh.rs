//! Selects the known followers whose profiles are fetched again tonight, without a date per follower.
//!
//! Row ids are evenly distributed, so a row id modulo the number of days selects the night. Unchanged
//! followers need no write, and the next night catches up on missed nights.

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The days since the latest complete crawl.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    every_days: i64,
    today: i64,
    nights: i64,
}

impl Window {
    /// Creates the window from the crawl at `crawled_at` to `now`, both in ms since 1970. Without an
    /// earlier crawl, no follower is due.
    pub(super) fn new(every_days: u32, crawled_at: Option<i64>, now: i64) -> Self {
        let today = now.div_euclid(DAY_MS);
        let since = crawled_at.map_or(today, |at| at.div_euclid(DAY_MS));
        Self { every_days: i64::from(every_days.max(1)), today, nights: (today - since).max(0) }
    }

    /// Whether the follower with this row id is due for a refresh.
    pub(super) fn is_due(&self, id: u64) -> bool {
        let nights_ago = (self.today - id.cast_signed()).rem_euclid(self.every_days);
        nights_ago < self.nights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_follower_is_due_once_per_refresh_period() {
        for id in 0..100 {
            let due =
                |night: i64| Window::new(30, Some((night - 1) * DAY_MS), night * DAY_MS).is_due(id);
            assert_eq!((20_000..20_030).filter(|night| due(*night)).count(), 1, "id {id}");
        }
    }

    #[test]
    fn followers_of_missed_nights_are_due_later() {
        let window = Window::new(30, Some(20_000 * DAY_MS), 20_003 * DAY_MS);
        assert_eq!((0..30).filter(|id| window.is_due(*id)).count(), 3);
        let after_a_long_time = Window::new(30, Some(0), 20_003 * DAY_MS);
        assert!((0..30).all(|id| after_a_long_time.is_due(id)));
    }

    #[test]
    fn no_follower_is_due_on_the_day_of_the_last_sync() {
        let window = Window::new(30, Some(20_000 * DAY_MS), 20_000 * DAY_MS + 5);
        assert!(!(0..30).any(|id| window.is_due(id)));
    }
}
