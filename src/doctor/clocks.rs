//! Whether clocks agree: leases and schedules go by the database's, certificates by ours, and tokens by
//! everybody's.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Check, Name};

/// From here on timestamps of one process are in another's future.
const TOLERATED: TimeDelta = TimeDelta::seconds(5);

/// From here on tokens expire before their time and codes are over when they come.
const UNBEARABLE: TimeDelta = TimeDelta::seconds(60);

const HINT: &str = "have both keep time by NTP; `timedatectl` says whether this machine does";

/// Judges another's clock that said `theirs` between two readings of ours.
pub(super) fn judge(
    name: Name,
    whose: &str,
    theirs: DateTime<Utc>,
    (before, after): (DateTime<Utc>, DateTime<Utc>),
) -> Check {
    // It was read somewhere in between: the question and the answer took their time.
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
        by if by > UNBEARABLE => Check::fail(name, detail, HINT),
        by if by > TOLERATED => Check::warn(name, detail, HINT),
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

    fn judged(theirs: i64, ours: (i64, i64)) -> (State, String) {
        let ours = (at(ours.0), at(ours.1));
        let check = judge(Name::ClockWechat, "WeChat's", at(theirs), ours);
        (check.state, check.detail)
    }

    #[test]
    fn what_lies_between_two_readings_agrees() {
        for theirs in [-5, 0, 7, 15] {
            assert_eq!(judged(theirs, (0, 10)).0, State::Ok, "{theirs}");
        }
    }

    #[test]
    fn the_further_off_the_worse() {
        for (theirs, state, words) in [
            (-6, State::Warn, "6 s ahead"),
            (70, State::Warn, "60 s behind"),
            (71, State::Fail, "61 s behind"),
            (-7_200, State::Fail, "120 min ahead"),
        ] {
            let (found, detail) = judged(theirs, (0, 10));
            assert!(found == state && detail.contains(words), "{theirs}: {detail}");
        }
    }
}
