//! What goes wrong, and when: faults of calls, by plan.
//!
//! A test writes `fail(Call::UserGet, 2, Fault::Disconnect)`, a command line
//! `user/get:2:disconnect` (the grammar is at [`FaultRule`]). What is odd about single people is a
//! [`Quirk`].

mod parse;
mod plan;
mod quirk;
mod receipt;
mod spelling;

use std::ops::{RangeFrom, RangeInclusive};
use std::time::Duration;

pub use parse::InvalidRule;
pub(crate) use plan::Plan;
pub use plan::RuleId;
pub use quirk::{Dirt, Quirk, UnknownQuirk};
pub(crate) use receipt::Moment;
pub use receipt::{InvalidReceipt, Outcome, Receipt};

use super::call::Call;

/// Something that goes wrong with one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Refused with that errcode; nothing happens.
    Errcode(i64),
    /// The same, with the errcode as a text: `"45011"`.
    ErrcodeAsText(i64),
    /// An HTML page with that HTTP status; nothing happens.
    HttpStatus(u16),
    /// The connection is reset before anything happens.
    Disconnect,
    /// The call takes effect, then the connection is reset with no byte of an answer.
    AnswerLost,
    /// The call takes effect, then the connection is reset in the middle of the answer.
    Cut,
    /// The call takes effect, and its answer comes that much later.
    Stall(Duration),
    /// The call takes effect, and the answer pauses that long in its middle.
    StallMid(Duration),
    /// The answer comes in chunks of one byte.
    OneByteChunks,
    /// The answer ends in its middle, and claims to be whole.
    Truncated,
    /// An HTML page with status 200 in place of the answer.
    Html,
    /// Status 200 and nothing else in place of the answer.
    EmptyBody,
    /// Every token of the account ends with this call: 40001 until a new one is asked for.
    TokenDead,
    /// The same, and `stable_token` goes on handing the dead one out.
    TokenJammed,
    /// `user/get`: `count` is off by that much.
    CountOff(i64),
    /// `user/get`: `data` is left out, whatever `count` says.
    NoData,
    /// `user/get`: an empty text is the first of the openids.
    BlankOpenid,
    /// `user/get`: `next_openid` is the cursor that was sent.
    Loop,
    /// `user/get`: `next_openid` leads back to the second page.
    LoopBack,
    /// `user/get`: the page has only that many openids, and the list ends with it.
    Short(usize),
    /// `user/get`: `total` says that.
    Total(u64),
    /// `user/info/batchget`: from this row on (the first is 0) each openid carries the next
    /// person's unionid; the last has its own.
    Misaligned(usize),
    /// `user/info/batchget`: that many rows at the end are left out.
    RowsMissing(usize),
    /// `user/info/batchget`: that many rows at the beginning have no unionid.
    RowsBlank(usize),
    /// `template/send`, `subscribe/send`: the message is accepted, and this is its receipt.
    Receipt(Receipt),
}

/// Which of the requests that match a rule it strikes, counted from when the rule was made.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// All of them.
    Always,
    /// From one number to another, both struck; the first request is 1.
    Within(RangeInclusive<u64>),
    /// Each whose number is a multiple of this.
    Every(u64),
    /// Each with this probability, in a sequence that the world's seed decides.
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

/// Which requests a rule looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// The call; `None` for all.
    pub call: Option<Call>,
    /// The account's AppID; `None` for all.
    pub appid: Option<String>,
}

impl From<Call> for Target {
    fn from(call: Call) -> Self {
        Self { call: Some(call), appid: None }
    }
}

/// Something that goes wrong: with calls, or with what is said of some people.
///
/// As text, for a command line:
///
/// ```text
/// CALL[@APPID]:WHEN:FAULT            user/get:2:disconnect
/// person[@APPID]:FIRST[-LAST]:QUIRK  person:17:poison
///
/// CALL   a call's name (user/get, user/info/batchget, stable_token, …) or *
/// WHEN   *        all            3     the third        2-5  the second to the fifth
///        61-      from the 61st  /10   every tenth      p0.05  each with 5 %
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
///        early|TIME (before the answer of the send, or that much later)  xTIMES
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum FaultRule {
    /// Something goes wrong with calls.
    Call {
        /// Which requests are looked at.
        target: Target,
        /// Which of them are struck.
        when: When,
        /// What happens to those.
        fault: Fault,
    },
    /// Something is odd about people.
    People {
        /// The account's AppID; `None` for the first Official Account.
        appid: Option<String>,
        /// By number, from the first to the last.
        people: RangeInclusive<u64>,
        /// What is odd.
        quirk: Quirk,
    },
}
