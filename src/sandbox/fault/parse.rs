//! Parses fault rules from text, for command lines and the control route.

use std::ops::RangeInclusive;
use std::str::FromStr;

use super::names::NAMES;
use super::{Fault, FaultRule, Target, UnknownQuirk, When};
use crate::sandbox::call::{Call, UnknownCall};

/// Why a text is not a valid fault rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRule {
    /// The text does not have three parts.
    #[error("{0:?} does not have the form CALL:WHEN:FAULT, such as user/get:2:disconnect")]
    Shape(String),
    /// The first part is not a call.
    #[error(transparent)]
    Call(#[from] UnknownCall),
    /// The second part is not a valid WHEN.
    #[error("invalid WHEN {0:?}: expected *, 3, 2-5, 61-, /10 or p0.05")]
    When(String),
    /// The second part of a `person` rule is not a number or a range.
    #[error("invalid people {0:?}: expected a number or a range, such as 17 or 17-20")]
    People(String),
    /// The name in the third part is not a fault.
    #[error("unknown fault {0:?}; known faults: {names}", names = NAMES)]
    Fault(String),
    /// The value after the fault's name is invalid.
    #[error("{fault} needs {needs}, not {value:?}")]
    Value {
        /// The fault's name.
        fault: String,
        /// What the fault needs.
        needs: &'static str,
        /// The given value.
        value: String,
    },
    /// The third part of a `person` rule is not a quirk.
    #[error(transparent)]
    Quirk(#[from] UnknownQuirk),
    /// The fault does not apply to the call.
    #[error("{fault} applies only to {calls}", calls = names(calls))]
    WrongCall {
        /// The fault's name.
        fault: String,
        /// The calls that the fault applies to.
        calls: &'static [Call],
    },
}

impl FromStr for FaultRule {
    type Err = InvalidRule;

    fn from_str(text: &str) -> Result<Self, InvalidRule> {
        let mut parts = text.trim().splitn(3, ':');
        let (Some(target), Some(when), Some(effect)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidRule::Shape(text.to_owned()));
        };
        let (name, appid) = match target.split_once('@') {
            Some((name, appid)) => (name, Some(appid.to_owned())),
            None => (target, None),
        };
        if name == "person" {
            return Ok(Self::People { appid, people: people(when)?, quirk: effect.parse()? });
        }
        let call = if name == "*" { None } else { Some(name.parse()?) };
        let fault = effect.parse()?;
        check_call(call, &fault, effect)?;
        Ok(Self::Call { target: Target { call, appid }, when: when.parse()?, fault })
    }
}

/// Rejects a rule whose fault does not apply to its call, since such a rule would never have an effect.
fn check_call(call: Option<Call>, fault: &Fault, text: &str) -> Result<(), InvalidRule> {
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
    fn rules_are_parsed_from_text() {
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
    fn a_rule_can_give_users_a_quirk() {
        let expected = FaultRule::People { appid: None, people: 17..=19, quirk: Quirk::Poison };
        assert_eq!("person:17-19:poison".parse(), Ok(expected));
        assert!(error("person:x:poison").contains("invalid people"));
        assert!(error("person:1:poisoned").contains("unknown quirk"));
    }

    #[test]
    fn a_parse_error_names_the_expected_form() {
        assert!(error("user/get").contains("CALL:WHEN:FAULT"));
        assert!(error("user/gte:1:cut").contains("user/get, user/info"));
        for when in ["0", "x", "5-2", "p1.5", "/0", ""] {
            assert!(error(&format!("user/get:{when}:cut")).contains("invalid WHEN"), "{when}");
        }
        assert!(error("user/get:1:explode").contains("known faults: errcode=N"));
        assert_eq!(
            error("user/get:1:http=200"),
            "http needs a status from 400 to 599, not \"200\""
        );
        assert_eq!(error("user/get:1:cut=3"), "cut needs no value, not \"3\"");
        assert_eq!(error("user/get:1:stall=30"), "stall needs a time such as 30s, not \"30\"");
        assert_eq!(error("user/info:1:no-data"), "no-data applies only to user/get");
        let receipt = error("user/info:1:receipt=none");
        assert_eq!(receipt, "receipt=none applies only to template/send and subscribe/send");
        let receipt = error("template/send:1:receipt=soon");
        assert_eq!(receipt, "receipt needs a receipt such as user-block+early, not \"soon\"");
    }
}
