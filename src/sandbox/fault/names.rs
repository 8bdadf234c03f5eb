//! Parses faults from their names on a command line.

use std::str::FromStr;
use std::time::Duration;

use super::{Fault, InvalidRule};
use crate::sandbox::call::Call;

/// The names of all faults, for error messages.
pub(super) const NAMES: &str = "errcode=N, errcode-text=N, http=STATUS, disconnect, lost, cut, \
    stall=TIME, stall-mid=TIME, chunks, truncated, html, empty, token-dead, token-jammed, \
    count=N, no-data, blank-openid, loop, loop-back, short=N, total=N, misaligned=ROW, \
    missing=ROWS, blank=ROWS, receipt=RECEIPT";

impl FromStr for Fault {
    type Err = InvalidRule;

    fn from_str(text: &str) -> Result<Self, InvalidRule> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let plain = match name {
            "disconnect" => Self::Disconnect,
            "lost" => Self::AnswerLost,
            "cut" => Self::Cut,
            "chunks" => Self::OneByteChunks,
            "truncated" => Self::Truncated,
            "html" => Self::Html,
            "empty" => Self::EmptyBody,
            "token-dead" => Self::TokenDead,
            "token-jammed" => Self::TokenJammed,
            "no-data" => Self::NoData,
            "blank-openid" => Self::BlankOpenid,
            "loop" => Self::Loop,
            "loop-back" => Self::LoopBack,
            _ => return with_value(name, value),
        };
        let has_no_value = name == text;
        has_no_value.then_some(plain).ok_or_else(|| invalid_value(name, "no value", value))
    }
}

fn with_value(name: &str, value: &str) -> Result<Fault, InvalidRule> {
    let (fault, needs) = match name {
        "errcode" => (value.parse().ok().map(Fault::Errcode), "an errcode"),
        "errcode-text" => (value.parse().ok().map(Fault::ErrcodeAsText), "an errcode"),
        "http" => (status(value).map(Fault::HttpStatus), "a status from 400 to 599"),
        "stall" => (time(value).map(Fault::Stall), "a time such as 30s"),
        "stall-mid" => (time(value).map(Fault::StallMid), "a time such as 30s"),
        "count" => (value.parse().ok().map(Fault::CountOff), "a difference such as -1"),
        "short" => (value.parse().ok().map(Fault::Short), "a number of openids"),
        "total" => (value.parse().ok().map(Fault::Total), "a number"),
        "misaligned" => (value.parse().ok().map(Fault::Misaligned), "a row number, counted from 0"),
        "missing" => (value.parse().ok().map(Fault::RowsMissing), "a number of rows"),
        "blank" => (value.parse().ok().map(Fault::RowsBlank), "a number of rows"),
        "receipt" => (value.parse().ok().map(Fault::Receipt), "a receipt such as user-block+early"),
        _ => return Err(InvalidRule::Fault(name.to_owned())),
    };
    fault.ok_or_else(|| invalid_value(name, needs, value))
}

fn invalid_value(fault: &str, needs: &'static str, value: &str) -> InvalidRule {
    InvalidRule::Value { fault: fault.to_owned(), needs, value: value.to_owned() }
}

fn status(text: &str) -> Option<u16> {
    text.parse().ok().filter(|status| (400..600).contains(status))
}

/// Parses a duration such as `500ms`, `30s` or `2m`.
pub(super) fn time(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        _ => None,
    }
}

impl Fault {
    /// Returns the calls that the fault applies to. Empty if it applies to all calls.
    pub(super) fn only_calls(&self) -> &'static [Call] {
        use Fault::{BlankOpenid, CountOff, Loop, LoopBack, NoData, Short, Total};
        use Fault::{Misaligned, Receipt, RowsBlank, RowsMissing};
        match self {
            CountOff(_) | NoData | BlankOpenid | Loop | LoopBack | Short(_) | Total(_) => {
                &[Call::UserGet]
            }
            Misaligned(_) | RowsMissing(_) | RowsBlank(_) => &[Call::UserInfoBatchget],
            Receipt(_) => &[Call::TemplateSend, Call::SubscribeSend],
            _ => &[],
        }
    }
}
