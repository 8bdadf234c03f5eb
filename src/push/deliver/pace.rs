//! The send times of an account's next messages: evenly spaced at its rate, whichever process sends
//! them.

/// How far ahead messages are claimed, in ms. Short, because the outcome of messages claimed by a
/// process that dies is unknown.
const CLAIM_AHEAD_MS: i64 = 250;

/// Longest plausible claim ahead, in ms. A next send time beyond it means that the database's clock
/// was set back.
const MAX_CLAIM_AHEAD_MS: i64 = 10_000;

/// Send times, in ms of database time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slots {
    first_at: i64,
    per_second: u64,
    /// The number of slots.
    pub(super) count: usize,
}

impl Slots {
    /// At most `max_count` slots from `next_at` on, the first free send time.
    ///
    /// # Errors
    /// Returns the delay in ms before the next claim, if the first slot is too far ahead. Messages
    /// that become due in the meantime are then claimed together.
    pub(super) fn from(
        next_at: i64,
        now: i64,
        per_second: u32,
        max_count: usize,
    ) -> Result<Self, u64> {
        let first_at = if next_at - now > MAX_CLAIM_AHEAD_MS { now } else { next_at.max(now) };
        let too_early = first_at - now - CLAIM_AHEAD_MS / 2;
        if too_early > 0 {
            return Err(too_early.unsigned_abs());
        }
        let per_second = u64::from(per_second.max(1));
        let free = (now + CLAIM_AHEAD_MS - first_at).unsigned_abs() * per_second / 1_000 + 1;
        let count = usize::try_from(free).unwrap_or(max_count).min(max_count);
        Ok(Self { first_at, per_second, count })
    }

    /// The send time of the slot at `index`. The slot after the last one used is the next free send
    /// time.
    pub(super) fn at(&self, index: usize) -> i64 {
        self.first_at + (index as u64 * 1_000).div_ceil(self.per_second).cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_account_sends_immediately_and_then_at_its_rate() {
        let slots = Slots::from(0, 5_000, 100, 32).unwrap();
        assert_eq!(
            (slots.count, slots.at(0), slots.at(1), slots.at(26)),
            (26, 5_000, 5_010, 5_260)
        );
        assert_eq!(Slots::from(0, 5_000, 100, 3).unwrap().count, 3);
        assert_eq!(Slots::from(0, 5_000, 10_000, 5_000).unwrap().count, 2_501);
    }

    #[test]
    fn a_second_claim_continues_after_the_slots_of_the_first() {
        let first = Slots::from(0, 5_000, 100, 10).unwrap();
        let second = Slots::from(first.at(first.count), 5_001, 100, 10).unwrap();
        assert_eq!((second.count, second.at(0)), (10, 5_100));
    }

    #[test]
    fn no_slot_is_claimed_long_before_its_time() {
        assert_eq!(Slots::from(6_000, 5_000, 1, 10), Err(875));
        assert_eq!(Slots::from(5_126, 5_000, 1, 10), Err(1));
        let slots = Slots::from(5_125, 5_000, 1, 10).unwrap();
        assert_eq!((slots.count, slots.at(0), slots.at(1)), (1, 5_125, 6_125));
    }

    #[test]
    fn a_clock_set_back_does_not_stop_sending() {
        assert_eq!(Slots::from(3_600_000, 5_000, 100, 1).unwrap().at(0), 5_000);
    }

    #[test]
    fn slot_intervals_are_rounded_up_to_keep_the_rate() {
        let slots = Slots::from(0, 0, 3, 10).unwrap();
        assert_eq!([slots.at(1), slots.at(2), slots.at(3)], [334, 667, 1_000]);
    }
}
