//! The scheduler in process, with a manual clock and captured metrics and logs.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, NaiveTime, Utc};
use metrics::LocalRecorderGuard;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tokio_util::sync::CancellationToken;
use unionid_bridge::clock::Clock;
use unionid_bridge::model::Run;
use unionid_bridge::scheduler::Schedule;
use unionid_bridge::store::runs;

use super::TestApp;

/// The tick of the default schedule in UTC: 03:00 in Shanghai.
const TICK: Option<NaiveTime> = NaiveTime::from_hms_opt(19, 0, 0);

/// A manual clock that starts at the current time. Database time keeps running.
pub fn stopped_clock() -> Clock {
    Clock::manual(Clock::system().now())
}

/// Returns the next tick after the clock's time.
pub fn next_tick(clock: &Clock) -> DateTime<Utc> {
    let now = clock.now();
    let today = now.date_naive().and_time(TICK.unwrap()).and_utc();
    if today > now { today } else { today + chrono::Days::new(1) }
}

/// Advances the clock to an instant.
pub fn move_to(clock: &Clock, instant: DateTime<Utc>) {
    clock.advance((instant - clock.now()).to_std().unwrap());
}

impl TestApp {
    /// Replaces the clock.
    pub fn timed(mut self, clock: &Clock) -> Self {
        Arc::get_mut(&mut self.app).unwrap().clock = clock.clone();
        self
    }

    /// Creates a schedule, as after a start.
    pub fn schedule(&self) -> Schedule {
        Schedule::new(self.app.clone(), CancellationToken::new())
    }

    /// Returns all runs, newest first.
    pub async fn runs(&self) -> Vec<Run> {
        runs::list(self.app.store.reader(), None, 1_000).await.unwrap()
    }
}

/// Simulates a few seconds of the scheduler, then waits for the runs that it started.
pub async fn beat(schedule: &mut Schedule) {
    for _ in 0..6 {
        schedule.beat().await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    schedule.drain().await;
}

/// Metrics and log lines of this test's thread.
pub struct Telemetry {
    handle: PrometheusHandle,
    lines: Lines,
    _recorder: LocalRecorderGuard<'static>,
    _log: tracing::subscriber::DefaultGuard,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Telemetry {
    /// Starts capturing.
    pub fn capture() -> Self {
        let recorder: &'static PrometheusRecorder =
            Box::leak(Box::new(PrometheusBuilder::new().build_recorder()));
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
        Self {
            handle: recorder.handle(),
            lines,
            _recorder: metrics::set_default_local_recorder(recorder),
            _log: tracing::subscriber::set_default(log.finish()),
        }
    }

    /// Returns the value of a counter of the only account.
    pub fn counter(&self, name: &str) -> u64 {
        let text = self.handle.render();
        let line = text.lines().find(|line| line.starts_with(&format!("{name}{{")));
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    /// Whether the log contains the text.
    pub fn logged(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.lines.0.lock().unwrap()).contains(text)
    }
}
