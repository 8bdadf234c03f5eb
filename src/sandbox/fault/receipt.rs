//! Receipts: the outcome of an accepted message, and when WeChat reports it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::names::time;

/// The outcome of an accepted message, as its receipt reports it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Outcome {
    /// `success`.
    #[default]
    Success,
    /// `failed:user block`.
    UserBlock,
    /// `failed: system failed`, with a space as WeChat writes it.
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

    /// Returns the status text that WeChat sends.
    pub fn status(self) -> &'static str {
        self.row().1
    }

    /// Returns the `ErrorCode` of a subscribe message's event. WeChat documents only 0, which is success;
    /// all failures have 1 here.
    pub fn code(self) -> i64 {
        i64::from(self != Self::Success)
    }
}

/// When a receipt is pushed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Timing {
    /// When the message is accepted. The response to the send does not wait for the push.
    #[default]
    Immediate,
    /// Before the response to the send, which waits until the push has ended.
    Early,
    /// After this delay.
    Late(Duration),
}

/// The receipt of an accepted message: its outcome, when it is pushed, and how often.
///
/// As text, parts joined by `+`: `success`, `user-block`, `system-failed` or `freq-limit`; `early`
/// (before the response to the send) or a delay such as `500ms`; `x3` (three times). `none` cannot be
/// combined with other parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    pub(crate) outcome: Outcome,
    pub(crate) timing: Timing,
    pub(crate) times: u32,
}

impl Default for Receipt {
    fn default() -> Self {
        Self::of(Outcome::Success)
    }
}

impl Receipt {
    /// Creates a receipt that is pushed once, when the message is accepted.
    pub fn of(outcome: Outcome) -> Self {
        Self { outcome, timing: Timing::Immediate, times: 1 }
    }

    /// No receipt is pushed.
    pub fn none() -> Self {
        Self { times: 0, ..Self::default() }
    }

    /// Pushes the receipt before the response to the send.
    pub fn early(self) -> Self {
        Self { timing: Timing::Early, ..self }
    }

    /// Delays the push.
    pub fn late(self, delay: Duration) -> Self {
        Self { timing: Timing::Late(delay), ..self }
    }

    /// Pushes the receipt this many times, each time as a separate event with the same content.
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    /// Applies one part of the text form.
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

/// The text is not a valid receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid receipt {0:?}; examples: none, user-block, early, 500ms+x3, success+early+x2")]
pub struct InvalidReceipt(String);

impl FromStr for Receipt {
    type Err = InvalidReceipt;

    fn from_str(text: &str) -> Result<Self, InvalidReceipt> {
        if text == "none" {
            return Ok(Self::none());
        }
        let receipt = text.split('+').try_fold(Self::default(), Self::with);
        receipt.ok_or_else(|| InvalidReceipt(text.to_owned()))
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.times == 0 {
            return f.write_str("none");
        }
        f.write_str(self.outcome.row().0)?;
        match self.timing {
            Timing::Immediate => {}
            Timing::Early => f.write_str("+early")?,
            Timing::Late(delay) => write!(f, "+{}ms", delay.as_millis())?,
        }
        if self.times > 1 { write!(f, "+x{}", self.times) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_round_trips_as_text() {
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
    fn the_error_for_an_invalid_receipt_gives_examples() {
        for text in ["", "x0", "none+early", "soon", "early+", "30"] {
            let error = text.parse::<Receipt>().unwrap_err().to_string();
            assert!(error.contains("user-block"), "{error}");
        }
    }
}
