//! The sync of a tick, or of a run that was left lying: begun as soon as the database lets it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::stagger::Stagger;
use super::{Due, skipped};
use crate::app::{self, App};
use crate::config::OfficialAccount;
use crate::model::Trigger;
use crate::sync::{self, Request};

/// How long a sync that the database did not let begin waits before it tries again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Why a sync is started.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reason {
    /// Its tick is due.
    Tick(Due),
    /// Nobody works on its run, which at this time need not wait.
    LeftLying(DateTime<Utc>),
}

impl Reason {
    fn tick(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Tick(due) => Some(due.at),
            Self::LeftLying(_) => None,
        }
    }
}

impl From<Due> for Request {
    fn from(due: Due) -> Self {
        let trigger = if due.missed > 0 { Trigger::CatchUp } else { Trigger::Schedule };
        Self { trigger, scheduled_at: Some(due.at), full: false, restart: false }
    }
}

/// Runs the sync of a tick, or resumes the open one, as soon as the database lets it begin.
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
                    "the scheduled sync did not start and tries again"
                );
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(RETRY_AFTER) => {}
                }
                continue;
            }
            (Failure::Sync(sync::Error::TickTaken(_) | sync::Error::LeaseHeld(_)), Some(tick)) => {
                skipped(&appid, tick, &error.to_string());
            }
            (Failure::Sync(sync::Error::TickTaken(_) | sync::Error::LeaseHeld(_)), None) => {
                tracing::debug!(app.id = %appid, %error, "another process resumes the run");
            }
            (Failure::Sync(sync::Error::LeaseLost(_)), _) => tracing::warn!(
                app.id = %appid, schedule.tick = tick, %error,
                "the scheduled sync stopped and has written nothing since"
            ),
            _ => tracing::warn!(
                app.id = %appid, schedule.tick = tick, %error,
                "the scheduled sync did not start"
            ),
        }
        return;
    }
}

/// Why a scheduled sync did not start. A run that did has logged how it ended.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    App(#[from] app::Error),
    #[error(transparent)]
    Sync(#[from] sync::Error),
}

impl Failure {
    /// Whether the database was away, so that the next attempt may succeed.
    fn is_passing(&self) -> bool {
        match self {
            Self::App(app::Error::Store(error)) | Self::Sync(sync::Error::Store(error)) => {
                error.is_passing()
            }
            _ => false,
        }
    }
}

/// Waits for this process's turn, then for the run. One that began has logged how it ended.
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
    let begun = match reason {
        Reason::Tick(due) => sync::begin(&job, due.into()).await.map(Some),
        Reason::LeftLying(now) => sync::resume(&job, now).await,
    };
    match (begun, reason) {
        (Ok(Some(started)), _) => {
            turn.taken();
            started.work(&job).await?;
        }
        (Ok(None), _) => {}
        (Err(sync::Error::LeaseHeld(_)), Reason::Tick(due)) => {
            drop(turn);
            // If its holder has died, the tick is still to be run.
            sync::run(&job, due.into()).await?;
        }
        (Err(error), _) => return Err(error.into()),
    }
    Ok(())
}
