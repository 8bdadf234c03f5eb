//! The plan of faults: which rule strikes which request.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Fault, Target, When};
use crate::sandbox::call::Call;
use crate::sandbox::chance::mix;
use crate::sandbox::locks::lock;

/// Names a rule that was made while the world runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleId(u64);

#[derive(Debug)]
struct Rule {
    id: RuleId,
    target: Target,
    when: When,
    fault: Fault,
    seen: u64,
    struck: u64,
}

impl Rule {
    fn looks_at(&self, call: Call, appid: Option<&str>) -> bool {
        let Target { call: wanted, appid: account } = &self.target;
        wanted.is_none_or(|wanted| wanted == call)
            && account.as_deref().is_none_or(|account| Some(account) == appid)
    }

    /// Counts a request it looks at, and tells whether it strikes it.
    fn strikes(&mut self, seed: u64) -> bool {
        self.seen += 1;
        let seen = self.seen;
        match &self.when {
            When::Always => true,
            When::Within(range) => range.contains(&seen),
            When::Every(step) => seen.is_multiple_of(*step),
            When::Chance(chance) => {
                let random = mix(mix(seed ^ self.id.0) ^ seen) >> 11;
                (random as f64) < chance * (1u64 << 53) as f64
            }
        }
    }
}

/// All rules for calls. Where several strike the same request, the oldest one has it.
#[derive(Debug)]
pub(crate) struct Plan {
    seed: u64,
    /// Whether there is anything to look through.
    any: AtomicBool,
    book: Mutex<RuleStore>,
}

#[derive(Debug, Default)]
struct RuleStore {
    rules: Vec<Rule>,
    made: u64,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, any: AtomicBool::new(false), book: Mutex::default() }
    }

    pub(crate) fn add(&self, target: Target, when: When, fault: Fault) -> RuleId {
        let mut book = lock(&self.book);
        book.made += 1;
        let id = RuleId(book.made);
        book.rules.push(Rule { id, target, when, fault, seen: 0, struck: 0 });
        self.any.store(true, Ordering::SeqCst);
        id
    }

    /// What goes wrong with this request, if anything. Every rule that looks at it counts it.
    pub(crate) fn pick(&self, call: Call, appid: Option<&str>) -> Option<Fault> {
        if !self.any.load(Ordering::SeqCst) {
            return None;
        }
        let mut book = lock(&self.book);
        let mut picked = None;
        for rule in book.rules.iter_mut().filter(|rule| rule.looks_at(call, appid)) {
            if rule.strikes(self.seed) && picked.is_none() {
                rule.struck += 1;
                picked = Some(rule.fault.clone());
            }
        }
        picked
    }

    /// How many requests the rule has struck.
    pub(crate) fn struck(&self, id: RuleId) -> u64 {
        let book = lock(&self.book);
        book.rules.iter().find(|rule| rule.id == id).map_or(0, |rule| rule.struck)
    }

    pub(crate) fn clear(&self) {
        self.any.store(false, Ordering::SeqCst);
        lock(&self.book).rules.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(plan: &Plan, requests: u64) -> Vec<u64> {
        (1..=requests).filter(|_| plan.pick(Call::UserGet, None).is_some()).collect()
    }

    fn plan(when: When) -> Plan {
        let plan = Plan::new(7);
        plan.add(Call::UserGet.into(), when, Fault::Cut);
        plan
    }

    #[test]
    fn rules_strike_when_they_say() {
        assert_eq!(struck(&plan(2.into()), 5), [2]);
        assert_eq!(struck(&plan((2..=3).into()), 5), [2, 3]);
        assert_eq!(struck(&plan((4..).into()), 6), [4, 5, 6]);
        assert_eq!(struck(&plan(When::Every(2)), 5), [2, 4]);
        assert_eq!(struck(&plan(When::Always), 2), [1, 2]);
        assert!(plan(When::Always).pick(Call::UserInfo, None).is_none());
    }

    #[test]
    fn chance_is_the_same_in_every_run() {
        let first = struck(&plan(When::Chance(0.1)), 10_000);
        assert_eq!(first, struck(&plan(When::Chance(0.1)), 10_000));
        assert!((800..1_200).contains(&first.len()), "{}", first.len());
    }

    #[test]
    fn a_rule_for_one_account_leaves_the_others_alone() {
        let plan = Plan::new(7);
        let target = Target { call: None, appid: Some("wx01".to_owned()) };
        let id = plan.add(target, When::Always, Fault::Cut);
        assert!(plan.pick(Call::UserGet, Some("wx02")).is_none());
        assert!(plan.pick(Call::UserGet, None).is_none());
        assert!(plan.pick(Call::UserGet, Some("wx01")).is_some());
        assert_eq!(plan.struck(id), 1);
        plan.clear();
        assert!(plan.pick(Call::UserGet, Some("wx01")).is_none());
    }
}
