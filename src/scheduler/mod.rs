//! The schedule: a sync per account and tick, one catch-up after downtime, the rescue of runs that
//! were interrupted or paused, and what is done once a day.
//!
//! tokio-cron-scheduler is the clock and no more: it beats once a second, and at each beat the
//! timetable is read in its own time zone. (A cron job of that crate keeps the UTC offset of the
//! moment it was made, which is wrong after the next change to or from summer time; and a repeated job
//! never comes again once it came later than its next time.) What time it is says the database, so that a
//! replica whose own clock is wrong neither runs tomorrow's tick tonight nor resumes a run before its
//! time. Who runs is the lease's business, so any number of replicas can do this at once; they take turns,
//! so that the accounts spread over them.

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

/// A beat a second, by this machine's clock.
const BEATS: &str = "* * * * * *";

/// A beat comes so long after the one before at the latest: this machine's clock may have been set back.
const LATEST_BEAT: Duration = Duration::from_millis(1_500);

/// How often runs are looked for that nobody works on: one that a replica puts down goes on in another
/// within 5 s.
const RESCUE_EVERY_BEATS: u32 = 3;

/// How often it is looked whether the day's work was done.
const DAILY_EVERY_BEATS: u32 = 600;

/// Why the schedule does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The clock could not be started.
    #[error("the scheduler's clock could not be started")]
    Clock(#[from] JobSchedulerError),
}

/// Runs the schedule until `stop` fires, then waits for its syncs to checkpoint.
pub async fn run(app: Arc<App>, stop: CancellationToken) -> Result<(), Error> {
    let beat = Arc::new(Notify::new());
    let mut clock = JobScheduler::new().await?;
    let beats = beat.clone();
    let job = CronJob::new_async(BEATS, move |_, _| {
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
            () = tokio::time::sleep(LATEST_BEAT) => {}
        }
        // A beat may wait for the database for long. One that is cut off leaves nothing half started.
        let beaten = tokio::select! {
            () = stop.cancelled() => break,
            beaten = schedule.beat() => beaten,
        };
        for unread in beaten.err().into_iter().flatten() {
            let (tick, error) = (unread.tick.map(tracing::field::display), &unread.source);
            tracing::warn!(
                app.id = %unread.appid, schedule.tick = tick, %error,
                "the schedule could not be read, the next beat tries again"
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
    began: Instant,
    time: Time,
    timetables: HashMap<AppId, Timetable>,
    working: HashMap<AppId, JoinHandle<()>>,
    stagger: Arc<Stagger>,
    daily: Daily,
    beats: u32,
}

impl Schedule {
    /// A schedule at its first beat.
    pub fn new(app: Arc<App>, stop: CancellationToken) -> Self {
        Self {
            app,
            stop,
            began: Instant::now(),
            time: Time::default(),
            timetables: HashMap::new(),
            working: HashMap::new(),
            stagger: Arc::default(),
            daily: Daily::default(),
            beats: 0,
        }
    }

    /// Starts what is due now, and now and then what was left lying.
    ///
    /// # Errors
    /// The accounts for which the database did not answer; the others have had their turn.
    pub async fn beat(&mut self) -> Result<(), Vec<Unscheduled>> {
        self.working.retain(|_, work| !work.is_finished());
        let rescue = self.beats.is_multiple_of(RESCUE_EVERY_BEATS);
        if self.beats.is_multiple_of(DAILY_EVERY_BEATS) {
            self.daily.start(&self.app, &self.stop);
        }
        self.beats = self.beats.wrapping_add(1);
        let accounts = self.app.config.official_accounts.clone();
        // Once, and not for each account: while the database is away, an attempt takes seconds.
        let now = self.time.now(&self.app).await.map_err(Arc::new);
        let mut unread = Vec::new();
        for account in &accounts {
            let beaten = match &now {
                Ok(now) => self.beat_of(account, *now, rescue).await,
                Err(source) => Err(Unscheduled::new(account, None, source.clone())),
            };
            unread.extend(beaten.err());
        }
        if unread.is_empty() { Ok(()) } else { Err(unread) }
    }

    async fn beat_of(
        &mut self,
        account: &OfficialAccount,
        now: DateTime<Utc>,
        rescue: bool,
    ) -> Result<(), Unscheduled> {
        let unread = |tick| move |source| Unscheduled::new(account, tick, Arc::new(source));
        if let Some(due) = self.due(account, now).await.map_err(unread(None))? {
            self.tick(account, due, now).await.map_err(unread(Some(due.at)))?;
        }
        if rescue && self.needs_rescue(account, now).await.map_err(unread(None))? {
            self.start(account, Reason::LeftLying(now));
        }
        Ok(())
    }

    /// Waits until all syncs of this process have ended or checkpointed.
    pub async fn drain(&mut self) {
        for (_, work) in self.working.drain() {
            // A sync that panicked has been logged; its lease ends by itself.
            let _ = work.await;
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
            let since = latest.unwrap_or_else(|| now - self.began.elapsed());
            let timetable = Timetable::new(sync.schedule.clone(), sync.timezone, since);
            self.timetables.insert(account.appid.clone(), timetable);
        }
        let timetable = self.timetables.get(&account.appid);
        Ok(timetable.and_then(|timetable| timetable.due(now)))
    }

    /// Starts the run of a tick or skips it. After an error it is still due.
    async fn tick(
        &mut self,
        account: &OfficialAccount,
        due: Due,
        now: DateTime<Utc>,
    ) -> Result<(), store::Error> {
        let why_not = if self.working.contains_key(&account.appid) {
            Some("the run before has not ended")
        } else if self.is_paused(account, now).await? {
            Some("the run before is paused and will be resumed")
        } else {
            None
        };
        if let Some(timetable) = self.timetables.get_mut(&account.appid) {
            timetable.give(due);
        }
        if due.missed > 0 {
            counter!("schedule_missed_total", "app_id" => account.appid.to_string())
                .increment(due.missed);
            tracing::warn!(app.id = %account.appid, schedule.missed = due.missed, "catching up");
        }
        match why_not {
            Some(reason) => skipped(&account.appid, due.at, reason),
            None => self.start(account, Reason::Tick(due)),
        }
        Ok(())
    }

    /// Starts the run of a tick, or resumes the open one.
    fn start(&mut self, account: &OfficialAccount, reason: Reason) {
        if self.working.contains_key(&account.appid) {
            return;
        }
        let (app, account, stop) = (self.app.clone(), account.clone(), self.stop.clone());
        let (appid, stagger) = (account.appid.clone(), self.stagger.clone());
        self.working.insert(appid, tokio::spawn(work(app, account, reason, stagger, stop)));
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

    /// Whether a run of the account was interrupted, or paused until now, and nobody works on it.
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

fn skipped(appid: &AppId, at: DateTime<Utc>, reason: &str) {
    counter!("schedule_skipped_total", "app_id" => appid.to_string()).increment(1);
    tracing::info!(app.id = %appid, schedule.tick = %at, reason, "tick skipped");
}
