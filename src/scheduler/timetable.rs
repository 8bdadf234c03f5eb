//! When an account's syncs are due.

use chrono::{DateTime, SubsecRound, Utc};
use chrono_tz::Tz;
use croner::Cron;

/// Ticks later than this were missed: the service was down or the machine asleep.
const LATE: chrono::Duration = chrono::Duration::seconds(60);

/// Missed ticks are counted up to here.
const MOST_COUNTED: usize = 1_000;

/// The ticks of a cron pattern in a time zone, each due until it was given.
#[derive(Debug, Clone)]
pub struct Timetable {
    pattern: Cron,
    timezone: Tz,
    since: DateTime<Utc>,
}

/// A tick that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Its own time: the same for every replica, however late each notices.
    pub at: DateTime<Utc>,
    /// Ticks that nobody noticed in time, this one included.
    pub missed: u64,
}

impl Timetable {
    /// A timetable of the ticks after `since`.
    pub fn new(pattern: Cron, timezone: Tz, since: DateTime<Utc>) -> Self {
        // croner carries a fraction of the second over to the ticks after it, and a tick has to
        // be the same instant for every replica.
        Self { pattern, timezone, since: since.trunc_subsecs(0) }
    }

    /// The latest tick up to `now` that was not given yet; those before it are only counted. It stays
    /// due until [`Timetable::give`] says that it was run or skipped.
    pub fn due(&self, now: DateTime<Utc>) -> Option<Due> {
        let after = self.since.with_timezone(&self.timezone);
        let ticks: Vec<_> = self
            .pattern
            .iter_after(after)
            .map(|tick| tick.to_utc())
            .take_while(|tick| *tick <= now)
            .take(MOST_COUNTED)
            .collect();
        let mut at = *ticks.last()?;
        if ticks.len() == MOST_COUNTED {
            let local = now.trunc_subsecs(0).with_timezone(&self.timezone);
            at = self.pattern.find_previous_occurrence(&local, true).ok()?.to_utc();
        }
        let missed = ticks.iter().filter(|tick| now - **tick > LATE).count() as u64;
        Some(Due { at, missed })
    }

    /// Takes note that the tick was run or skipped: it and those before it are due no more.
    pub fn give(&mut self, due: Due) {
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
    fn a_tick_is_due_until_it_was_given() {
        let mut nightly =
            timetable("0 0 3 * * *", chrono_tz::Asia::Shanghai, "2026-03-01T00:00:00Z");
        assert_eq!(nightly.due(at("2026-03-01T18:59:59Z")), None);
        let due = Due { at: at("2026-03-01T19:00:00Z"), missed: 0 };
        assert_eq!(nightly.due(at("2026-03-01T19:00:01Z")), Some(due));
        assert_eq!(nightly.due(at("2026-03-01T19:00:02Z")), Some(due));
        nightly.give(due);
        assert_eq!(nightly.due(at("2026-03-01T19:00:03Z")), None);
    }

    #[test]
    fn a_tick_is_the_same_instant_whenever_the_service_began_to_wait() {
        for since in ["2026-03-01T00:00:00.417Z", "2026-03-01T18:59:59.999Z"] {
            let mut nightly = timetable("0 0 3 * * *", chrono_tz::Asia::Shanghai, since);
            let due = nightly.due(at("2026-03-01T19:00:00Z")).unwrap();
            assert_eq!(due.at, at("2026-03-01T19:00:00Z"));
            nightly.give(due);
            assert_eq!(nightly.due(at("2026-03-01T19:00:00.999Z")), None);
        }
        let each_second =
            timetable("* * * * * *", chrono_tz::Asia::Shanghai, "2026-03-01T00:00:00.5Z");
        let due = each_second.due(at("2026-03-02T00:00:00.25Z")).unwrap();
        assert_eq!(due.at, at("2026-03-02T00:00:00Z"));
    }

    #[test]
    fn ticks_missed_while_down_make_one_catch_up() {
        let mut nightly =
            timetable("0 0 3 * * *", chrono_tz::Asia::Shanghai, "2026-03-01T19:00:00Z");
        let due = Due { at: at("2026-03-06T19:00:00Z"), missed: 5 };
        assert_eq!(nightly.due(at("2026-03-07T08:00:00Z")), Some(due));
        nightly.give(due);
        assert_eq!(nightly.due(at("2026-03-07T08:00:01Z")), None);
    }

    #[test]
    fn summer_time_moves_the_tick_with_the_clock_on_the_wall() {
        let nightly = timetable("0 0 3 * * *", chrono_tz::Europe::Berlin, "2026-03-28T12:00:00Z");
        // 2026-03-29 03:00 in Berlin is 01:00 UTC, from then on; the day before it was 02:00 UTC.
        let due = nightly.due(at("2026-03-30T01:00:00Z")).unwrap();
        assert_eq!(due.at, at("2026-03-30T01:00:00Z"));
    }

    #[test]
    fn years_of_missed_seconds_are_no_trouble() {
        let each_second =
            timetable("* * * * * *", chrono_tz::Asia::Shanghai, "2020-01-01T00:00:00Z");
        let due = each_second.due(at("2026-03-01T00:00:00Z")).unwrap();
        assert_eq!(due.at, at("2026-03-01T00:00:00Z"));
        assert_eq!(due.missed, MOST_COUNTED as u64);
    }
}
