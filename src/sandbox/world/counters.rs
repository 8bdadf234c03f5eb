//! What was asked of the world: calls, refusals, and how many at once.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

use crate::sandbox::call::Call;
use crate::sandbox::locks::lock;

/// What was asked of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CallStats {
    /// Requests that arrived, whatever became of them.
    pub requests: u64,
    /// Answers by errcode; those with errcode 0 or none are not in it.
    pub errors: BTreeMap<i64, u64>,
    /// The most requests that were worked on at once.
    pub peak_in_flight: u64,
}

/// What was asked of the world, by the call's short name. Calls never asked are not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// By call.
    pub calls: BTreeMap<&'static str, CallStats>,
    /// The most requests that were worked on at once, over all calls.
    pub peak_in_flight: u64,
}

impl Stats {
    /// Requests of one call.
    pub fn requests(&self, call: Call) -> u64 {
        self.calls.get(call.name()).map_or(0, |stats| stats.requests)
    }

    /// Answers of one call with that errcode.
    pub fn errors(&self, call: Call, errcode: i64) -> u64 {
        let errors = self.calls.get(call.name()).map(|stats| &stats.errors);
        errors.and_then(|errors| errors.get(&errcode)).copied().unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct Gauge {
    now: AtomicU64,
    peak: AtomicU64,
}

impl Gauge {
    fn enter(&self) {
        let now = self.now.fetch_add(1, Relaxed) + 1;
        self.peak.fetch_max(now, Relaxed);
    }
}

#[derive(Debug, Default)]
struct Counter {
    requests: AtomicU64,
    flying: Gauge,
}

/// Counts the calls of one account, or of the whole world.
#[derive(Debug)]
pub(crate) struct Counters {
    calls: [Counter; Call::COUNT],
    flying: Gauge,
    errors: Mutex<BTreeMap<(Call, i64), u64>>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            calls: std::array::from_fn(|_| Counter::default()),
            flying: Gauge::default(),
            errors: Mutex::default(),
        }
    }
}

/// A request being worked on; it has ended when this is dropped.
pub(crate) struct InFlight<'a> {
    gauges: [&'a Gauge; 2],
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.gauges.iter().for_each(|gauge| _ = gauge.now.fetch_sub(1, Relaxed));
    }
}

impl Counters {
    fn counter(&self, call: Call) -> &Counter {
        &self.calls[call as usize]
    }

    /// Counts a request that has arrived.
    pub(crate) fn enter(&self, call: Call) -> InFlight<'_> {
        let counter = self.counter(call);
        counter.requests.fetch_add(1, Relaxed);
        let gauges = [&counter.flying, &self.flying];
        gauges.iter().for_each(|gauge| gauge.enter());
        InFlight { gauges }
    }

    /// Counts an answer that refuses.
    pub(crate) fn refused(&self, call: Call, errcode: i64) {
        *lock(&self.errors).entry((call, errcode)).or_default() += 1;
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        for call in Call::ALL.iter().copied() {
            let counter = self.counter(call);
            let requests = counter.requests.load(Relaxed);
            if requests > 0 {
                let peak_in_flight = counter.flying.peak.load(Relaxed);
                let errors = BTreeMap::new();
                stats.calls.insert(call.name(), CallStats { requests, errors, peak_in_flight });
            }
        }
        for ((call, errcode), count) in lock(&self.errors).iter() {
            stats.calls.entry(call.name()).or_default().errors.insert(*errcode, *count);
        }
        stats.peak_in_flight = self.flying.peak.load(Relaxed);
        stats
    }

    /// Starts counting again; what is in flight stays so.
    pub(crate) fn reset(&self) {
        for counter in &self.calls {
            counter.requests.store(0, Relaxed);
            counter.flying.peak.store(0, Relaxed);
        }
        self.flying.peak.store(0, Relaxed);
        lock(&self.errors).clear();
    }
}
