//! The schedule: starts a sync per account and tick, one catch-up run after downtime, resumes
//! interrupted and paused runs, and starts the daily work.
//!
//! tokio-cron-scheduler only provides a beat once per second. At each beat the timetable is evaluated
//! in its own time zone. (A cron job of that crate keeps the UTC offset of its creation, which is wrong
//! after the next daylight saving change; and a repeated job never fires again once it fired later than
//! its next time.) The current time comes from the database, so that a replica with a wrong clock
//! neither runs tomorrow's tick tonight nor resumes a run too early. Leases decide which replica works
//! on an account, so any number of replicas can run the schedule. Replicas take turns, so that the
//! accounts spread evenly.

mod daily;
mod stagger;
mod time;
mod timetable;
mod unscheduled;
mod work;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use metrics::counter;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_cron_scheduler::{Job as CronJob, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config::OfficialAccount;
use crate::model::{AppId, RunState};
use crate::store::runs;
use crate::store::{self, accounts, leases};
use crate::sync;

use daily::Daily;
use stagger::Stagger;
use time::Time;
use work::{Reason, work};

pub use timetable::{Due, Timetable};
pub use unscheduled::Unscheduled;

/// The cron pattern of the beat: once per second, by this machine's clock.
const BEAT_PATTERN: &str = "* * * * * *";

/// The longest interval between two beats, in case this machine's clock is set back.
const MAX_BEAT_INTERVAL: Duration = Duration::from_millis(1_500);

/// How often the schedule checks for runs without a worker. When a replica stops, another one resumes
/// its run within 5 s.
const RESCUE_EVERY_BEATS: u32 = 3;

/// How often the schedule checks whether the daily work is due.
const DAILY_EVERY_BEATS: u32 = 600;

/// Why the schedule stopped or could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The scheduler's clock failed.
    #[error("could not run the scheduler's clock")]
    Clock(#[from] JobSchedulerError),
}

/// Runs the schedule until `stop` fires, then waits until its syncs have saved their checkpoints.
pub async fn run(app: Arc<App>, stop: CancellationToken) -> Result<(), Error> {
    let beat = Arc::new(Notify::new());
    let mut clock = JobScheduler::new().await?;
    let beats = beat.clone();
    let job = CronJob::new_async(BEAT_PATTERN, move |_, _| {
        let beats = beats.clone();
        Box::pin(async move { beats.notify_one() })
    })?;
    clock.add(job).await?;
    clock.start().await?;
    let mut schedule = Schedule::new(app, stop.clone());
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = beat.notified() => {}
            () = tokio::time::sleep(MAX_BEAT_INTERVAL) => {}
        }
        // A beat may wait for the database for a long time. Dropping it leaves nothing half started.
        let result = tokio::select! {
            () = stop.cancelled() => break,
            result = schedule.beat() => result,
        };
        for failed in result.err().into_iter().flatten() {
            let (tick, error) = (failed.tick.map(tracing::field::display), &failed.source);
            tracing::warn!(
                app.id = %failed.appid, schedule.tick = tick, %error,
                "could not read the schedule from the database, will try again"
            );
        }
    }
    schedule.drain().await;
    Ok(clock.shutdown().await?)
}

/// The schedule of all accounts in this process.
pub struct Schedule {
    app: Arc<App>,
    stop: CancellationToken,
    started_at: Instant,
    time: Time,
    timetables: HashMap<AppId, Timetable>,
    tasks: HashMap<AppId, JoinHandle<()>>,
    stagger: Arc<Stagger>,
    daily: Daily,
    beats: u32,
}

impl Schedule {
    /// Creates a schedule.
    pub fn new(app: Arc<App>, stop: CancellationToken) -> Self {
        Self {
            app,
            stop,
            started_at: Instant::now(),
            time: Time::default(),
            timetables: HashMap::new(),
            tasks: HashMap::new(),
            stagger: Arc::default(),
            daily: Daily::default(),
            beats: 0,
        }
    }

    /// Starts the syncs that are due and, every few beats, resumes runs without a worker.
    ///
    /// # Errors
    /// Returns the accounts for which the database did not answer. The other accounts were served.
    pub async fn beat(&mut self) -> Result<(), Vec<Unscheduled>> {
        self.tasks.retain(|_, task| !task.is_finished());
        let rescue = self.beats.is_multiple_of(RESCUE_EVERY_BEATS);
        if self.beats.is_multiple_of(DAILY_EVERY_BEATS) {
            self.daily.start(&self.app, &self.stop);
        }
        self.beats = self.beats.wrapping_add(1);
        let accounts = self.app.config.official_accounts.clone();
        // Read once for all accounts: while the database is unreachable, an attempt takes seconds.
        let now = self.time.now(&self.app).await.map_err(Arc::new);
        let mut failed = Vec::new();
        for account in &accounts {
            let result = match &now {
                Ok(now) => self.beat_account(account, *now, rescue).await,
                Err(source) => Err(Unscheduled::new(account, None, source.clone())),
            };
            failed.extend(result.err());
        }
        if failed.is_empty() { Ok(()) } else { Err(failed) }
    }

    async fn beat_account(
        &mut self,
        account: &OfficialAccount,
        now: DateTime<Utc>,
        rescue: bool,
    ) -> Result<(), Unscheduled> {
        let failed = |tick| move |source| Unscheduled::new(account, tick, Arc::new(source));
        if let Some(due) = self.due(account, now).await.map_err(failed(None))? {
            self.tick(account, due, now).await.map_err(failed(Some(due.at)))?;
        }
        if rescue && self.needs_rescue(account, now).await.map_err(failed(None))? {
            self.start(account, Reason::Rescue(now));
        }
        Ok(())
    }

    /// Waits until all syncs of this process have ended or saved their checkpoints.
    pub async fn drain(&mut self) {
        for (_, task) in self.tasks.drain() {
            // A panic has already been logged, and the sync's lease expires by itself.
            let _ = task.await;
        }
        self.daily.drain().await;
    }

    async fn due(
        &mut self,
        account: &OfficialAccount,
        now: DateTime<Utc>,
    ) -> Result<Option<Due>, store::Error> {
        if !self.timetables.contains_key(&account.appid) {
            let sync = &self.app.config.sync;
            let number = accounts::find_or_insert(&self.app.store, &account.appid).await?;
            let latest = runs::find_latest_start(self.app.store.reader(), number).await?;
            let since = latest.unwrap_or_else(|| now - self.started_at.elapsed());
            let timetable = Timetable::new(sync.schedule.clone(), sync.timezone, since);
            self.timetables.insert(account.appid.clone(), timetable);
        }
        let timetable = self.timetables.get(&account.appid);
        Ok(timetable.and_then(|timetable| timetable.due(now)))
    }

    /// Starts the sync of a tick or skips the tick. After an error the tick is still due.
    async fn tick(
        &mut self,
        account: &OfficialAccount,
        due: Due,
        now: DateTime<Utc>,
    ) -> Result<(), store::Error> {
        let skip_reason = if self.tasks.contains_key(&account.appid) {
            Some("the previous run has not ended")
        } else if self.is_paused(account, now).await? {
            Some("the previous run is paused and will be resumed")
        } else {
            None
        };
        if let Some(timetable) = self.timetables.get_mut(&account.appid) {
            timetable.mark_handled(due);
        }
        if due.missed > 0 {
            counter!("schedule_missed_total", "app_id" => account.appid.to_string())
                .increment(due.missed);
            tracing::warn!(app.id = %account.appid, schedule.missed = due.missed, "catching up");
        }
        match skip_reason {
            Some(reason) => record_skipped(&account.appid, due.at, reason),
            None => self.start(account, Reason::Tick(due)),
        }
        Ok(())
    }

    /// Starts a sync in a separate task, unless this process is already syncing the account.
    fn start(&mut self, account: &OfficialAccount, reason: Reason) {
        if self.tasks.contains_key(&account.appid) {
            return;
        }
        let (app, account, stop) = (self.app.clone(), account.clone(), self.stop.clone());
        let (appid, stagger) = (account.appid.clone(), self.stagger.clone());
        self.tasks.insert(appid, tokio::spawn(work(app, account, reason, stagger, stop)));
    }

    async fn is_paused(
        &self,
        account: &OfficialAccount,
        now: DateTime<Utc>,
    ) -> Result<bool, store::Error> {
        let number = accounts::find_or_insert(&self.app.store, &account.appid).await?;
        let open = runs::find_latest(self.app.store.reader(), number, &[RunState::Paused]).await?;
        Ok(open.is_some_and(|record| record.run.resume_at.is_some_and(|at| at > now)))
    }

    /// Whether the account has an interrupted run, or one whose pause is over, and no process works on
    /// it.
    async fn needs_rescue(
        &self,
        account: &OfficialAccount,
        now: DateTime<Utc>,
    ) -> Result<bool, store::Error> {
        let reader = self.app.store.reader();
        let number = accounts::find_or_insert(&self.app.store, &account.appid).await?;
        let open = [RunState::Running, RunState::Paused];
        let Some(record) = runs::find_latest(reader, number, &open).await? else {
            return Ok(false);
        };
        if record.run.resume_at.is_some_and(|at| at > now) {
            return Ok(false);
        }
        Ok(!leases::is_held(reader, &sync::lease_name(&account.appid)).await?)
    }
}

fn record_skipped(appid: &AppId, at: DateTime<Utc>, reason: &str) {
    counter!("schedule_skipped_total", "app_id" => appid.to_string()).increment(1);
    tracing::info!(app.id = %appid, schedule.tick = %at, reason, "tick skipped");
}
