//! Fault rules as text, for command lines and the control route.

use std::ops::RangeInclusive;
use std::str::FromStr;

use super::spelling::NAMES;
use super::{Fault, FaultRule, Target, UnknownQuirk, When};
use crate::sandbox::call::{Call, UnknownCall};

/// Why a text is not a fault rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRule {
    /// There have to be three parts.
    #[error("{0:?} is not CALL:WHEN:FAULT, such as user/get:2:disconnect")]
    Shape(String),
    /// The first part.
    #[error(transparent)]
    Call(#[from] UnknownCall),
    /// The second part.
    #[error("{0:?} does not say when: *, 3, 2-5, 61-, /10 or p0.05 does")]
    When(String),
    /// The second part of a rule for people.
    #[error("{0:?} names no people: 17 or 17-20 does")]
    People(String),
    /// The third part, or the name in it.
    #[error("no fault is named {0:?}; there are {names}", names = NAMES)]
    Fault(String),
    /// The value after the name.
    #[error("{fault} needs {needs}, not {value:?}")]
    Value {
        /// The fault's name.
        fault: String,
        /// What it needs.
        needs: &'static str,
        /// What was given.
        value: String,
    },
    /// The third part of a rule for people.
    #[error(transparent)]
    Quirk(#[from] UnknownQuirk),
    /// A page's fault at a call that has no pages.
    #[error("{fault} strikes {calls} only", calls = names(calls))]
    WrongCall {
        /// The fault's name.
        fault: String,
        /// The calls it belongs to.
        calls: &'static [Call],
    },
}

impl FromStr for FaultRule {
    type Err = InvalidRule;

    fn from_str(text: &str) -> Result<Self, InvalidRule> {
        let mut parts = text.trim().splitn(3, ':');
        let (Some(target), Some(when), Some(what)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidRule::Shape(text.to_owned()));
        };
        let (name, appid) = match target.split_once('@') {
            Some((name, appid)) => (name, Some(appid.to_owned())),
            None => (target, None),
        };
        if name == "person" {
            return Ok(Self::People { appid, people: people(when)?, quirk: what.parse()? });
        }
        let call = if name == "*" { None } else { Some(name.parse()?) };
        let fault = what.parse()?;
        belongs(call, &fault, what)?;
        Ok(Self::Call { target: Target { call, appid }, when: when.parse()?, fault })
    }
}

/// A rule that could never strike is a mistake worth telling.
fn belongs(call: Option<Call>, fault: &Fault, text: &str) -> Result<(), InvalidRule> {
    let calls = fault.only_calls();
    if calls.is_empty() || call.is_none_or(|call| calls.contains(&call)) {
        return Ok(());
    }
    Err(InvalidRule::WrongCall { fault: text.to_owned(), calls })
}

fn names(calls: &[Call]) -> String {
    calls.iter().map(|call| call.name()).collect::<Vec<_>>().join(" and ")
}

fn people(text: &str) -> Result<RangeInclusive<u64>, InvalidRule> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok(first..=last),
        _ => Err(InvalidRule::People(text.to_owned())),
    }
}

impl FromStr for When {
    type Err = InvalidRule;

    fn from_str(text: &str) -> Result<Self, InvalidRule> {
        when(text).ok_or_else(|| InvalidRule::When(text.to_owned()))
    }
}

fn when(text: &str) -> Option<When> {
    if text == "*" {
        return Some(When::Always);
    }
    if let Some(step) = text.strip_prefix('/') {
        return step.parse().ok().filter(|step| *step > 0).map(When::Every);
    }
    if let Some(chance) = text.strip_prefix('p') {
        return chance.parse().ok().filter(|p| (0.0..=1.0).contains(p)).map(When::Chance);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let first: u64 = first.parse().ok().filter(|first| *first > 0)?;
    let last = if last.is_empty() { u64::MAX } else { last.parse().ok()? };
    (first <= last).then_some(When::Within(first..=last))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sandbox::fault::Quirk;

    fn rule(text: &str) -> (Option<Call>, When, Fault) {
        match text.parse().unwrap() {
            FaultRule::Call { target, when, fault } => (target.call, when, fault),
            FaultRule::People { .. } => panic!("{text} is about people"),
        }
    }

    fn error(text: &str) -> String {
        text.parse::<FaultRule>().unwrap_err().to_string()
    }

    #[test]
    fn rules_are_read_from_text() {
        let second = (Some(Call::UserGet), When::Within(2..=2), Fault::Disconnect);
        assert_eq!(rule("user/get:2:disconnect"), second);
        let busy = (Some(Call::UserInfoBatchget), When::Chance(0.05), Fault::Errcode(-1));
        assert_eq!(rule("user/info/batchget:p0.05:errcode=-1"), busy);
        assert_eq!(rule("*:*:http=502"), (None, When::Always, Fault::HttpStatus(502)));
        let stall = Fault::Stall(Duration::from_secs(30));
        assert_eq!(rule("jscode2session:/3:stall=30s").1, When::Every(3));
        assert_eq!(rule("jscode2session:61-:stall=30s").1, When::Within(61..=u64::MAX));
        assert_eq!(rule("jscode2session:2-4:stall=30s").2, stall);
    }

    #[test]
    fn a_rule_can_be_for_one_account() {
        let rule: FaultRule = "user/get@wx01:1:no-data".parse().unwrap();
        let FaultRule::Call { target, .. } = rule else { panic!("{rule:?}") };
        assert_eq!(target.appid.as_deref(), Some("wx01"));
    }

    #[test]
    fn people_can_be_odd() {
        let expected = FaultRule::People { appid: None, people: 17..=19, quirk: Quirk::Poison };
        assert_eq!("person:17-19:poison".parse(), Ok(expected));
        assert!(error("person:x:poison").contains("names no people"));
        assert!(error("person:1:poisoned").contains("no quirk is named"));
    }

    #[test]
    fn a_mistake_is_answered_with_what_would_be_right() {
        assert!(error("user/get").contains("CALL:WHEN:FAULT"));
        assert!(error("user/gte:1:cut").contains("user/get, user/info"));
        for when in ["0", "x", "5-2", "p1.5", "/0", ""] {
            assert!(error(&format!("user/get:{when}:cut")).contains("does not say when"), "{when}");
        }
        assert!(error("user/get:1:explode").contains("there are errcode=N"));
        assert_eq!(
            error("user/get:1:http=200"),
            "http needs a status from 400 to 599, not \"200\""
        );
        assert_eq!(error("user/get:1:cut=3"), "cut needs no value, not \"3\"");
        assert_eq!(error("user/get:1:stall=30"), "stall needs a time such as 30s, not \"30\"");
        assert_eq!(error("user/info:1:no-data"), "no-data strikes user/get only");
        let receipt = error("user/info:1:receipt=none");
        assert_eq!(receipt, "receipt=none strikes template/send and subscribe/send only");
        let receipt = error("template/send:1:receipt=soon");
        assert_eq!(receipt, "receipt needs a receipt such as user-block+early, not \"soon\"");
    }
}
