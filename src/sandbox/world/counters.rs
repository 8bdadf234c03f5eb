//! Counters: requests, error responses, and concurrent requests.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

use crate::sandbox::call::Call;
use crate::sandbox::locks::lock;

/// The counters of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CallStats {
    /// Requests received, whatever their outcome.
    pub requests: u64,
    /// Responses by errcode. Responses with errcode 0 or without one are not counted.
    pub errors: BTreeMap<i64, u64>,
    /// The highest number of concurrent requests.
    pub peak_in_flight: u64,
}

/// The counters of a world or an account. Calls without requests are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// The counters by the call's short name.
    pub calls: BTreeMap<&'static str, CallStats>,
    /// The highest number of concurrent requests, over all calls.
    pub peak_in_flight: u64,
}

impl Stats {
    /// Returns the number of requests of one call.
    pub fn requests(&self, call: Call) -> u64 {
        self.calls.get(call.name()).map_or(0, |stats| stats.requests)
    }

    /// Returns the number of responses of one call with this errcode.
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
    in_flight: Gauge,
}

/// Counts the calls of one account, or of the whole world.
#[derive(Debug)]
pub(crate) struct Counters {
    calls: [Counter; Call::COUNT],
    in_flight: Gauge,
    errors: Mutex<BTreeMap<(Call, i64), u64>>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            calls: std::array::from_fn(|_| Counter::default()),
            in_flight: Gauge::default(),
            errors: Mutex::default(),
        }
    }
}

/// A request in progress. It ends when this is dropped.
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

    /// Counts a new request.
    pub(crate) fn enter(&self, call: Call) -> InFlight<'_> {
        let counter = self.counter(call);
        counter.requests.fetch_add(1, Relaxed);
        let gauges = [&counter.in_flight, &self.in_flight];
        gauges.iter().for_each(|gauge| gauge.enter());
        InFlight { gauges }
    }

    /// Counts an error response.
    pub(crate) fn record_refusal(&self, call: Call, errcode: i64) {
        *lock(&self.errors).entry((call, errcode)).or_default() += 1;
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        for call in Call::ALL.iter().copied() {
            let counter = self.counter(call);
            let requests = counter.requests.load(Relaxed);
            if requests > 0 {
                let peak_in_flight = counter.in_flight.peak.load(Relaxed);
                let errors = BTreeMap::new();
                stats.calls.insert(call.name(), CallStats { requests, errors, peak_in_flight });
            }
        }
        for ((call, errcode), count) in lock(&self.errors).iter() {
            stats.calls.entry(call.name()).or_default().errors.insert(*errcode, *count);
        }
        stats.peak_in_flight = self.in_flight.peak.load(Relaxed);
        stats
    }

    /// Resets the counters. Requests in progress still count as in flight.
    pub(crate) fn reset(&self) {
        for counter in &self.calls {
            counter.requests.store(0, Relaxed);
            counter.in_flight.peak.store(0, Relaxed);
        }
        self.in_flight.peak.store(0, Relaxed);
        lock(&self.errors).clear();
    }
}
