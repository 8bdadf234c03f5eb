//! Runs the sync of a tick or resumes an open run, and retries until the database is available.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::stagger::Stagger;
use super::{Due, record_skipped};
use crate::app::{self, App};
use crate::config::OfficialAccount;
use crate::model::Trigger;
use crate::sync::{self, Request};

/// The delay before another attempt to start a sync after a database error.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// Why a sync is started.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reason {
    /// A tick of the account is due.
    Tick(Due),
    /// The account's open run has no worker and was not paused beyond this time.
    Rescue(DateTime<Utc>),
}

impl Reason {
    fn tick(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Tick(due) => Some(due.at),
            Self::Rescue(_) => None,
        }
    }
}

impl From<Due> for Request {
    fn from(due: Due) -> Self {
        let trigger = if due.missed > 0 { Trigger::CatchUp } else { Trigger::Schedule };
        Self { trigger, scheduled_at: Some(due.at), full: false, restart: false }
    }
}

/// Runs the sync of a tick or resumes the account's open run. Retries database errors until the sync
/// has started.
pub(super) async fn work(
    app: Arc<App>,
    account: OfficialAccount,
    reason: Reason,
    stagger: Arc<Stagger>,
    stop: CancellationToken,
) {
    let appid = account.appid.clone();
    let tick = reason.tick().map(tracing::field::display);
    loop {
        let Err(error) = sync_once(&app, &account, reason, &stagger, &stop).await else { return };
        match (&error, reason.tick()) {
            _ if error.is_passing() => {
                tracing::warn!(
                    app.id = %appid, schedule.tick = tick, %error,
                    "the scheduled sync did not start, will try again"
                );
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(RETRY_DELAY) => {}
                }
                continue;
            }
            (Failure::Sync(sync::Error::TickTaken(_) | sync::Error::LeaseHeld(_)), Some(tick)) => {
                record_skipped(&appid, tick, &error.to_string());
            }
            (Failure::Sync(sync::Error::TickTaken(_) | sync::Error::LeaseHeld(_)), None) => {
                tracing::debug!(app.id = %appid, %error, "another process resumes the run");
            }
            (Failure::Sync(sync::Error::LeaseLost(_)), _) => tracing::warn!(
                app.id = %appid, schedule.tick = tick, %error,
                "the scheduled sync stopped because another process took over the run"
            ),
            _ => tracing::warn!(
                app.id = %appid, schedule.tick = tick, %error,
                "the scheduled sync did not start"
            ),
        }
        return;
    }
}

/// Why a scheduled sync did not start. Runs that did start log their own outcome.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    App(#[from] app::Error),
    #[error(transparent)]
    Sync(#[from] sync::Error),
}

impl Failure {
    /// Whether the cause is a transient database error, so that the next attempt may succeed.
    fn is_passing(&self) -> bool {
        match self {
            Self::App(app::Error::Store(error)) | Self::Sync(sync::Error::Store(error)) => {
                error.is_passing()
            }
            _ => false,
        }
    }
}

/// Waits for this process's turn, then works on the run until it ends or stops. The run logs its own
/// outcome.
async fn sync_once(
    app: &App,
    account: &OfficialAccount,
    reason: Reason,
    stagger: &Stagger,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let job = app.sync_job(account, stop.clone(), Arc::new(|_, _| {})).await?;
    let Some(turn) = stop.run_until_cancelled(stagger.next(&account.appid)).await else {
        return Ok(());
    };
    let started = match reason {
        Reason::Tick(due) => sync::begin(&job, due.into()).await.map(Some),
        Reason::Rescue(now) => sync::resume(&job, now).await,
    };
    match (started, reason) {
        (Ok(Some(run)), _) => {
            turn.claimed();
            run.work(&job).await?;
        }
        (Ok(None), _) => {}
        (Err(sync::Error::LeaseHeld(_)), Reason::Tick(due)) => {
            drop(turn);
            // If the lease's holder has died, the tick still has to run.
            sync::run(&job, due.into()).await?;
        }
        (Err(error), _) => return Err(error.into()),
    }
    Ok(())
}
