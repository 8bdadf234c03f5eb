//! When an account's syncs are due.

use chrono::{DateTime, SubsecRound, Utc};
use chrono_tz::Tz;
use croner::Cron;

/// Ticks noticed later than this count as missed: the service was down or the machine suspended.
const MAX_DELAY: chrono::Duration = chrono::Duration::seconds(60);

/// The maximum number of missed ticks that are counted.
const MAX_COUNTED: usize = 1_000;

/// The ticks of a cron pattern in a time zone. Each tick is due until it is handled.
#[derive(Debug, Clone)]
pub struct Timetable {
    pattern: Cron,
    timezone: Tz,
    since: DateTime<Utc>,
}

/// A tick that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The scheduled time. It is the same for every replica, no matter how late a replica notices the
    /// tick.
    pub at: DateTime<Utc>,
    /// The number of missed ticks, including this one if it was missed.
    pub missed: u64,
}

impl Timetable {
    /// Creates a timetable of the ticks after `since`.
    pub fn new(pattern: Cron, timezone: Tz, since: DateTime<Utc>) -> Self {
        // croner adds the fraction of the second to all later ticks, but a tick must be the same
        // instant for every replica.
        Self { pattern, timezone, since: since.trunc_subsecs(0) }
    }

    /// Returns the latest tick up to `now` that was not handled yet. Earlier ticks are only counted.
    /// The tick stays due until [`Timetable::mark_handled`].
    pub fn due(&self, now: DateTime<Utc>) -> Option<Due> {
        let after = self.since.with_timezone(&self.timezone);
        let ticks: Vec<_> = self
            .pattern
            .iter_after(after)
            .map(|tick| tick.to_utc())
            .take_while(|tick| *tick <= now)
            .take(MAX_COUNTED)
            .collect();
        let mut at = *ticks.last()?;
        if ticks.len() == MAX_COUNTED {
            let local = now.trunc_subsecs(0).with_timezone(&self.timezone);
            at = self.pattern.find_previous_occurrence(&local, true).ok()?.to_utc();
        }
        let missed = ticks.iter().filter(|tick| now - **tick > MAX_DELAY).count() as u64;
        Some(Due { at, missed })
    }

    /// Records that the tick was run or skipped. The tick and all earlier ticks are no longer due.
    pub fn mark_handled(&mut self, due: Due) {
        self.since = self.since.max(due.at);
    }
}

#[cfg(test)]
mod tests {
    use croner::parser::{CronParser, Seconds};

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn timetable(pattern: &str, timezone: Tz, since: &str) -> Timetable {
        let parser = CronParser::builder().seconds(Seconds::Required).build();
        Timetable::new(parser.parse(pattern).unwrap(), timezone, at(since))
    }

    #[test]
    fn a_tick_is_due_until_it_is_handled() {
        let mut nightly =
            timetable("0 0 3 * * *", chrono_tz::Asia::Shanghai, "2026-03-01T00:00:00Z");
        assert_eq!(nightly.due(at("2026-03-01T18:59:59Z")), None);
        let due = Due { at: at("2026-03-01T19:00:00Z"), missed: 0 };
        assert_eq!(nightly.due(at("2026-03-01T19:00:01Z")), Some(due));
        assert_eq!(nightly.due(at("2026-03-01T19:00:02Z")), Some(due));
        nightly.mark_handled(due);
        assert_eq!(nightly.due(at("2026-03-01T19:00:03Z")), None);
    }

    #[test]
    fn a_tick_does_not_depend_on_when_the_service_started() {
        for since in ["2026-03-01T00:00:00.417Z", "2026-03-01T18:59:59.999Z"] {
            let mut nightly = timetable("0 0 3 * * *", chrono_tz::Asia::Shanghai, since);
            let due = nightly.due(at("2026-03-01T19:00:00Z")).unwrap();
            assert_eq!(due.at, at("2026-03-01T19:00:00Z"));
            nightly.mark_handled(due);
            assert_eq!(nightly.due(at("2026-03-01T19:00:00.999Z")), None);
        }
        let each_second =
            timetable("* * * * * *", chrono_tz::Asia::Shanghai, "2026-03-01T00:00:00.5Z");
        let due = each_second.due(at("2026-03-02T00:00:00.25Z")).unwrap();
        assert_eq!(due.at, at("2026-03-02T00:00:00Z"));
    }

    #[test]
    fn missed_ticks_are_combined_into_one_catch_up() {
        let mut nightly =
            timetable("0 0 3 * * *", chrono_tz::Asia::Shanghai, "2026-03-01T19:00:00Z");
        let due = Due { at: at("2026-03-06T19:00:00Z"), missed: 5 };
        assert_eq!(nightly.due(at("2026-03-07T08:00:00Z")), Some(due));
        nightly.mark_handled(due);
        assert_eq!(nightly.due(at("2026-03-07T08:00:01Z")), None);
    }

    #[test]
    fn ticks_follow_local_time_across_daylight_saving_changes() {
        let nightly = timetable("0 0 3 * * *", chrono_tz::Europe::Berlin, "2026-03-28T12:00:00Z");
        // 2026-03-29 03:00 in Berlin is 01:00 UTC, from then on; the day before it was 02:00 UTC.
        let due = nightly.due(at("2026-03-30T01:00:00Z")).unwrap();
        assert_eq!(due.at, at("2026-03-30T01:00:00Z"));
    }

    #[test]
    fn counting_missed_ticks_is_bounded() {
        let each_second =
            timetable("* * * * * *", chrono_tz::Asia::Shanghai, "2020-01-01T00:00:00Z");
        let due = each_second.due(at("2026-03-01T00:00:00Z")).unwrap();
        assert_eq!(due.at, at("2026-03-01T00:00:00Z"));
        assert_eq!(due.missed, MAX_COUNTED as u64);
    }
}
