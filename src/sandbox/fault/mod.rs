//! Fault injection: which API calls go wrong, when and how.
//!
//! A test calls `fail(Call::UserGet, 2, Fault::Disconnect)`, and a command line passes
//! `user/get:2:disconnect` ([`FaultRule`] documents the syntax). A [`Quirk`] changes how WeChat treats a
//! single person.

mod names;
mod parse;
mod plan;
mod quirk;
mod receipt;

use std::ops::{RangeFrom, RangeInclusive};
use std::time::Duration;

pub use parse::InvalidRule;
pub(crate) use plan::Plan;
pub use plan::RuleId;
pub use quirk::{Dirt, Quirk, UnknownQuirk};
pub(crate) use receipt::Timing;
pub use receipt::{InvalidReceipt, Outcome, Receipt};

use super::call::Call;

/// What goes wrong with an API call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The call is refused with this errcode and has no effect.
    Errcode(i64),
    /// Like [`Errcode`](Self::Errcode), but the errcode is written as a string: `"45011"`.
    ErrcodeAsText(i64),
    /// The response is an HTML page with this HTTP status. The call has no effect.
    HttpStatus(u16),
    /// The connection is reset. The call has no effect.
    Disconnect,
    /// The call takes effect, then the connection is reset before the response starts.
    AnswerLost,
    /// The call takes effect, then the connection is reset in the middle of the response body.
    Cut,
    /// The call takes effect, and the response is delayed by this duration.
    Stall(Duration),
    /// The call takes effect, and the response pauses for this duration in the middle of its body.
    StallMid(Duration),
    /// The response is sent in chunks of one byte.
    OneByteChunks,
    /// The response contains only half of the body, with a matching `Content-Length`.
    Truncated,
    /// The call takes effect, and the response is an HTML page with status 200.
    Html,
    /// The call takes effect, and the response has status 200 and an empty body.
    EmptyBody,
    /// All access tokens of the account become invalid (40001) before the call, until a new one is issued.
    TokenDead,
    /// Like [`TokenDead`](Self::TokenDead), but `stable_token` still returns the invalid token.
    TokenJammed,
    /// `user/get`: `count` is wrong by this number.
    CountOff(i64),
    /// `user/get`: `data` is missing, although `count` is unchanged.
    NoData,
    /// `user/get`: the first openid is an empty string.
    BlankOpenid,
    /// `user/get`: `next_openid` repeats the cursor of the request.
    Loop,
    /// `user/get`: `next_openid` points back to the second page.
    LoopBack,
    /// `user/get`: the page contains only this many openids and is the last one.
    Short(usize),
    /// `user/get`: `total` has this value.
    Total(u64),
    /// `user/info/batchget`: from this row on (the first row is 0), each row contains the unionid of the
    /// next row's person. The last row contains its own.
    Misaligned(usize),
    /// `user/info/batchget`: this many rows are missing at the end.
    RowsMissing(usize),
    /// `user/info/batchget`: the first rows, this many, have no unionid.
    RowsBlank(usize),
    /// `template/send`, `subscribe/send`: an accepted message gets this receipt.
    Receipt(Receipt),
}

/// Which of the matching requests a rule affects. Requests are counted from the creation of the rule.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// All matching requests.
    Always,
    /// The requests with these numbers. The first request is 1.
    Within(RangeInclusive<u64>),
    /// Every request whose number is a multiple of this one.
    Every(u64),
    /// Each request with this probability (0 to 1). The world's seed determines the sequence.
    Chance(f64),
}

impl From<u64> for When {
    fn from(nth: u64) -> Self {
        Self::Within(nth..=nth)
    }
}

impl From<RangeInclusive<u64>> for When {
    fn from(range: RangeInclusive<u64>) -> Self {
        Self::Within(range)
    }
}

impl From<RangeFrom<u64>> for When {
    fn from(range: RangeFrom<u64>) -> Self {
        Self::Within(range.start..=u64::MAX)
    }
}

/// Which requests a rule matches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// The call; `None` matches all calls.
    pub call: Option<Call>,
    /// The account's AppID; `None` matches all accounts.
    pub appid: Option<String>,
}

impl From<Call> for Target {
    fn from(call: Call) -> Self {
        Self { call: Some(call), appid: None }
    }
}

/// A rule that makes API calls go wrong, or gives people a quirk.
///
/// As text, for a command line:
///
/// ```text
/// CALL[@APPID]:WHEN:FAULT            user/get:2:disconnect
/// person[@APPID]:FIRST[-LAST]:QUIRK  person:17:poison
///
/// CALL   a call's name (user/get, user/info/batchget, stable_token, …) or *
/// WHEN   *        all            3     the third        2-5  the second to the fifth
///        61-      from the 61st  /10   every tenth      p0.05  each with 5 % probability
/// FAULT  errcode=N  errcode-text=N  http=STATUS  disconnect  lost  cut  stall=TIME
///        stall-mid=TIME  chunks  truncated  html  empty  token-dead  token-jammed
///        user/get:            count=±N  no-data  blank-openid  loop  loop-back  short=N  total=N
///        user/info/batchget:  misaligned=ROW  missing=ROWS  blank=ROWS
///        template/send, subscribe/send:  receipt=RECEIPT
/// TIME   500ms  30s  2m
/// QUIRK  no-unionid  no-unionid-in-batch  no-unionid-at-login  unionid-of=PERSON
///        unionid-in-batch-of=PERSON  poison
///        remark=control-characters|invalid-utf8|bare-quote|stray-backslash  numeric-strings
///        listed-but-gone  refuses-templates  blacklisted  high-risk  send-errcode=N
///        receipt=RECEIPT
/// RECEIPT  none, or parts joined by +:  success|user-block|system-failed|freq-limit
///        early|TIME (before the response to the send, or delayed by TIME)  xTIMES
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum FaultRule {
    /// Makes API calls go wrong.
    Call {
        /// Which requests the rule matches.
        target: Target,
        /// Which of the matching requests the rule affects.
        when: When,
        /// What happens to the affected requests.
        fault: Fault,
    },
    /// Gives people a quirk.
    People {
        /// The account's AppID; `None` is the first Official Account.
        appid: Option<String>,
        /// The numbers of the people.
        people: RangeInclusive<u64>,
        /// The quirk.
        quirk: Quirk,
    },
}
