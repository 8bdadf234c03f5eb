//! What becomes of a message that was accepted, and when the vendor tells of it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::spelling::time;

/// Whether an accepted message reached its person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Outcome {
    /// `success`.
    #[default]
    Success,
    /// `failed:user block`.
    UserBlock,
    /// `failed: system failed`, with the vendor's own blank.
    SystemFailed,
    /// `failed:freq limit`.
    FreqLimit,
}

const OUTCOMES: &[(&str, Outcome, &str)] = &[
    ("success", Outcome::Success, "success"),
    ("user-block", Outcome::UserBlock, "failed:user block"),
    ("system-failed", Outcome::SystemFailed, "failed: system failed"),
    ("freq-limit", Outcome::FreqLimit, "failed:freq limit"),
];

impl Outcome {
    fn row(self) -> (&'static str, &'static str) {
        let row = OUTCOMES.iter().find(|(_, outcome, _)| *outcome == self);
        row.map(|(name, _, status)| (*name, *status)).unwrap_or_default()
    }

    /// What the vendor calls it.
    pub fn status(self) -> &'static str {
        self.row().1
    }

    /// The `ErrorCode` of a subscribe message's event. The vendor documents 0 alone, which is
    /// success.
    pub fn code(self) -> i64 {
        i64::from(self != Self::Success)
    }
}

/// When a receipt is pushed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Moment {
    /// As soon as the message is accepted; the answer goes out at the same time.
    #[default]
    AtOnce,
    /// Before the answer, which waits until the push has ended.
    Early,
    /// That much later.
    Late(Duration),
}

/// The receipt of an accepted message: what it says, when it comes, and how often.
///
/// As text, parts joined by `+`: `success`, `user-block`, `system-failed` or `freq-limit`; `early`
/// (before the answer of the send) or a time such as `500ms` (that much later); `x3` (three times).
/// `none` stands alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    pub(crate) outcome: Outcome,
    pub(crate) moment: Moment,
    pub(crate) times: u32,
}

impl Default for Receipt {
    fn default() -> Self {
        Self::of(Outcome::Success)
    }
}

impl Receipt {
    /// At once, and once.
    pub fn of(outcome: Outcome) -> Self {
        Self { outcome, moment: Moment::AtOnce, times: 1 }
    }

    /// There is no receipt.
    pub fn none() -> Self {
        Self { times: 0, ..Self::default() }
    }

    /// It is there before the answer of the send.
    pub fn early(self) -> Self {
        Self { moment: Moment::Early, ..self }
    }

    /// It comes that much later.
    pub fn late(self, delay: Duration) -> Self {
        Self { moment: Moment::Late(delay), ..self }
    }

    /// It is pushed that often, each time as an event of its own that says the same.
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    fn with(self, part: &str) -> Option<Self> {
        if part == "early" {
            return Some(self.early());
        }
        if let Some(outcome) = OUTCOMES.iter().find(|(name, ..)| *name == part) {
            return Some(Self { outcome: outcome.1, ..self });
        }
        if let Some(times) = part.strip_prefix('x') {
            return times.parse().ok().filter(|times| *times > 0).map(|times| self.times(times));
        }
        time(part).map(|delay| self.late(delay))
    }
}

/// A text that is no receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no receipt: none, user-block, early, 500ms+x3 and success+early+x2 are")]
pub struct InvalidReceipt(String);

impl FromStr for Receipt {
    type Err = InvalidReceipt;

    fn from_str(text: &str) -> Result<Self, InvalidReceipt> {
        if text == "none" {
            return Ok(Self::none());
        }
        let read = text.split('+').try_fold(Self::default(), Self::with);
        read.ok_or_else(|| InvalidReceipt(text.to_owned()))
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.times == 0 {
            return f.write_str("none");
        }
        f.write_str(self.outcome.row().0)?;
        match self.moment {
            Moment::AtOnce => {}
            Moment::Early => f.write_str("+early")?,
            Moment::Late(delay) => write!(f, "+{}ms", delay.as_millis())?,
        }
        if self.times > 1 { write!(f, "+x{}", self.times) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_reads_back_as_it_is_written() {
        let late = Receipt::of(Outcome::FreqLimit).late(Duration::from_millis(1_500)).times(2);
        for (receipt, text) in [
            (Receipt::default(), "success"),
            (Receipt::none(), "none"),
            (Receipt::of(Outcome::UserBlock).early(), "user-block+early"),
            (late, "freq-limit+1500ms+x2"),
        ] {
            assert_eq!(receipt.to_string(), text);
            assert_eq!(text.parse(), Ok(receipt));
        }
        assert_eq!("2s+x3".parse(), Ok(Receipt::default().late(Duration::from_secs(2)).times(3)));
    }

    #[test]
    fn what_is_no_receipt_is_answered_with_some() {
        for text in ["", "x0", "none+early", "soon", "early+", "30"] {
            let error = text.parse::<Receipt>().unwrap_err().to_string();
            assert!(error.contains("user-block"), "{error}");
        }
    }
}
