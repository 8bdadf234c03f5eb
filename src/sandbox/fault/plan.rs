//! The fault plan: decides which rule affects which request.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Fault, Target, When};
use crate::sandbox::call::Call;
use crate::sandbox::locks::lock;
use crate::sandbox::random::mix;

/// Identifies a rule for calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleId(u64);

#[derive(Debug)]
struct Rule {
    id: RuleId,
    target: Target,
    when: When,
    fault: Fault,
    /// Requests that matched.
    seen: u64,
    /// Requests that the rule affected.
    hits: u64,
}

impl Rule {
    fn matches(&self, call: Call, appid: Option<&str>) -> bool {
        let target = &self.target;
        target.call.is_none_or(|target| target == call)
            && target.appid.as_deref().is_none_or(|target| Some(target) == appid)
    }

    /// Counts a matching request and returns whether the rule affects it.
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

/// All rules for calls. If several rules affect the same request, the oldest one is applied.
#[derive(Debug)]
pub(crate) struct Plan {
    seed: u64,
    /// Whether there are any rules. Spares most requests the lock.
    any: AtomicBool,
    store: Mutex<RuleStore>,
}

#[derive(Debug, Default)]
struct RuleStore {
    rules: Vec<Rule>,
    created: u64,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, any: AtomicBool::new(false), store: Mutex::default() }
    }

    pub(crate) fn add(&self, target: Target, when: When, fault: Fault) -> RuleId {
        let mut store = lock(&self.store);
        store.created += 1;
        let id = RuleId(store.created);
        store.rules.push(Rule { id, target, when, fault, seen: 0, hits: 0 });
        self.any.store(true, Ordering::SeqCst);
        id
    }

    /// Returns the fault for this request. Every matching rule counts the request.
    pub(crate) fn pick(&self, call: Call, appid: Option<&str>) -> Option<Fault> {
        if !self.any.load(Ordering::SeqCst) {
            return None;
        }
        let mut store = lock(&self.store);
        let mut picked = None;
        for rule in store.rules.iter_mut().filter(|rule| rule.matches(call, appid)) {
            if rule.strikes(self.seed) && picked.is_none() {
                rule.hits += 1;
                picked = Some(rule.fault.clone());
            }
        }
        picked
    }

    /// Returns the number of requests that the rule affected.
    pub(crate) fn hits(&self, id: RuleId) -> u64 {
        let store = lock(&self.store);
        store.rules.iter().find(|rule| rule.id == id).map_or(0, |rule| rule.hits)
    }

    pub(crate) fn clear(&self) {
        self.any.store(false, Ordering::SeqCst);
        lock(&self.store).rules.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(plan: &Plan, requests: u64) -> Vec<u64> {
        (1..=requests).filter(|_| plan.pick(Call::UserGet, None).is_some()).collect()
    }

    fn plan(when: When) -> Plan {
        let plan = Plan::new(7);
        plan.add(Call::UserGet.into(), when, Fault::Cut);
        plan
    }

    #[test]
    fn rules_apply_to_the_specified_calls() {
        assert_eq!(hits(&plan(2.into()), 5), [2]);
        assert_eq!(hits(&plan((2..=3).into()), 5), [2, 3]);
        assert_eq!(hits(&plan((4..).into()), 6), [4, 5, 6]);
        assert_eq!(hits(&plan(When::Every(2)), 5), [2, 4]);
        assert_eq!(hits(&plan(When::Always), 2), [1, 2]);
        assert!(plan(When::Always).pick(Call::UserInfo, None).is_none());
    }

    #[test]
    fn random_faults_are_reproducible() {
        let first = hits(&plan(When::Chance(0.1)), 10_000);
        assert_eq!(first, hits(&plan(When::Chance(0.1)), 10_000));
        assert!((800..1_200).contains(&first.len()), "{}", first.len());
    }

    #[test]
    fn a_rule_for_one_account_does_not_affect_others() {
        let plan = Plan::new(7);
        let target = Target { call: None, appid: Some("wx01".to_owned()) };
        let id = plan.add(target, When::Always, Fault::Cut);
        assert!(plan.pick(Call::UserGet, Some("wx02")).is_none());
        assert!(plan.pick(Call::UserGet, None).is_none());
        assert!(plan.pick(Call::UserGet, Some("wx01")).is_some());
        assert_eq!(plan.hits(id), 1);
        plan.clear();
        assert!(plan.pick(Call::UserGet, Some("wx01")).is_none());
    }
}
