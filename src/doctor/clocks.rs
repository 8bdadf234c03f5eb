//! Compares clocks: leases and schedules use the database's clock, certificates use this machine's, and
//! tokens depend on all of them.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Check, Name};

/// Beyond this difference, timestamps of one process lie in another's future.
const WARN_BEYOND: TimeDelta = TimeDelta::seconds(5);

/// Beyond this difference, tokens expire early and login codes are too old on arrival.
const FAIL_BEYOND: TimeDelta = TimeDelta::seconds(60);

const HINT: &str = "synchronise both clocks by NTP; `timedatectl` shows whether this machine does";

/// Evaluates another clock that returned `theirs` between two readings of our clock.
pub(super) fn evaluate(
    name: Name,
    whose: &str,
    theirs: DateTime<Utc>,
    (before, after): (DateTime<Utc>, DateTime<Utc>),
) -> Check {
    // The other clock was read at an unknown moment between our two readings.
    let ahead = match theirs {
        theirs if theirs < before => before - theirs,
        theirs if theirs > after => after - theirs,
        _ => TimeDelta::zero(),
    };
    let by = seconds(ahead.abs());
    let detail = match ahead >= TimeDelta::zero() {
        true => format!("this machine's clock is {by} ahead of {whose}"),
        false => format!("this machine's clock is {by} behind {whose}"),
    };
    match ahead.abs() {
        by if by > FAIL_BEYOND => Check::fail(name, detail, HINT),
        by if by > WARN_BEYOND => Check::warn(name, detail, HINT),
        _ => Check::ok(name, format!("this machine's clock agrees with {whose}")),
    }
}

fn seconds(difference: TimeDelta) -> String {
    match difference.num_seconds() {
        seconds if seconds < 600 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap()
    }

    fn evaluated(theirs: i64, ours: (i64, i64)) -> (State, String) {
        let ours = (at(ours.0), at(ours.1));
        let check = evaluate(Name::ClockWechat, "WeChat's", at(theirs), ours);
        (check.state, check.detail)
    }

    #[test]
    fn a_clock_between_the_two_local_readings_is_ok() {
        for theirs in [-5, 0, 7, 15] {
            assert_eq!(evaluated(theirs, (0, 10)).0, State::Ok, "{theirs}");
        }
    }

    #[test]
    fn a_small_clock_difference_warns_and_a_large_one_fails() {
        for (theirs, state, words) in [
            (-6, State::Warn, "6 s ahead"),
            (70, State::Warn, "60 s behind"),
            (71, State::Fail, "61 s behind"),
            (-7_200, State::Fail, "120 min ahead"),
        ] {
            let (found, detail) = evaluated(theirs, (0, 10));
            assert!(found == state && detail.contains(words), "{theirs}: {detail}");
        }
    }
}
