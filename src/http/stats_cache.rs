//! The latest follower and user counts, refreshed by one query at a time.
//!
//! Counting millions of rows takes seconds. So counts are cached for all callers, counting continues after
//! its callers have timed out, and counts are refreshed only on demand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

use super::error::Problem;
use crate::app::App;
use crate::model::{AppId, Run, RunState};
use crate::store::statistics::{self, Followers, Users};
use crate::store::{self, AdaptiveTimeout, accounts, runs};

/// How long counts are cached: at least `MIN_TTL`, and `TTL_FACTOR` times as long as counting took.
const MIN_TTL: Duration = Duration::from_secs(5);
const TTL_FACTOR: u32 = 20;

/// How long a request waits for counting to finish.
const WAIT_TIMEOUT: Duration = Duration::from_secs(2);

/// Followers, users and latest successful runs of all accounts.
#[derive(Debug)]
pub(super) struct Counts {
    /// When counting started, in database time.
    pub(super) counted_at: DateTime<Utc>,
    /// Follower counts of the Official Accounts.
    pub(super) followers: HashMap<AppId, Followers>,
    /// User counts of the Mini Programs.
    pub(super) users: HashMap<AppId, Users>,
    /// The latest successful run of each Official Account.
    pub(super) good_runs: HashMap<AppId, Run>,
    expires_at: Instant,
}

/// Counts on demand, and caches the result.
#[derive(Default)]
pub(super) struct StatsCache(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    latest: Option<Arc<Counts>>,
    in_progress: Option<InProgress>,
    /// Limits one attempt: if the database server stops responding, the next attempt must still start.
    timeout: AdaptiveTimeout,
}

/// The error is `None` if the counting task panicked; the panic hook reported it.
type InProgress = Shared<BoxFuture<'static, Result<Arc<Counts>, Option<Arc<store::Error>>>>>;

impl StatsCache {
    /// Returns the cached counts if they have not expired. Otherwise counts again, and returns the expired
    /// counts if that takes longer than [`WAIT_TIMEOUT`].
    pub(super) async fn get(&self, app: &Arc<App>) -> Result<Arc<Counts>, Problem> {
        let (latest, counting) = {
            let mut state = lock(&self.0);
            match &state.latest {
                Some(latest) if Instant::now() < latest.expires_at => return Ok(latest.clone()),
                latest => (latest.clone(), self.start(&mut state, app)),
            }
        };
        // Distinguishes an unreachable database from one that is still counting.
        store::in_time(app.store.ping()).await?;
        match (tokio::time::timeout(WAIT_TIMEOUT, counting).await, latest) {
            (Ok(Ok(counts)), _) | (Err(_), Some(counts)) => Ok(counts),
            (Ok(Err(Some(error))), _) => Err(Problem::from(&*error)),
            (Ok(Err(None)), _) => Err(Problem::internal(&CountingPanicked)),
            (Err(_), None) => {
                let detail = "the first count since the process started has not finished yet";
                Err(Problem::unavailable("counting", detail, WAIT_TIMEOUT)
                    .hint("try again: counting continues in the background"))
            }
        }
    }

    fn start(&self, state: &mut State, app: &Arc<App>) -> InProgress {
        if let Some(in_progress) = &state.in_progress {
            return in_progress.clone();
        }
        let (app, shared, mut timeout) = (app.clone(), self.0.clone(), state.timeout);
        let counting = tokio::spawn(async move {
            let counts = timeout.run(count(&app)).await;
            let counts = counts.map(Arc::new).map_err(|error| Some(Arc::new(error)));
            let mut state = lock(&shared);
            (state.in_progress, state.timeout) = (None, timeout);
            if let Ok(counts) = &counts {
                state.latest = Some(counts.clone());
            }
            counts
        });
        let shared = self.0.clone();
        let in_progress = async move {
            counting.await.unwrap_or_else(|_| {
                lock(&shared).in_progress = None;
                Err(None)
            })
        };
        let in_progress = in_progress.boxed().shared();
        state.in_progress = Some(in_progress.clone());
        in_progress
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug, thiserror::Error)]
#[error("the task that counts followers and users panicked")]
struct CountingPanicked;

async fn count(app: &App) -> Result<Counts, store::Error> {
    let (started, store) = (Instant::now(), app.store.for_all_rows());
    let reader = store.reader();
    let counted_at = DateTime::from_timestamp_millis(store.now().await?).unwrap_or_default();
    let by_number = statistics::count_followers(reader).await?;
    let (mut followers, mut good_runs) = (HashMap::new(), HashMap::new());
    for account in &app.config.official_accounts {
        let appid = &account.appid;
        let Some(number) = accounts::find(reader, appid).await? else { continue };
        followers.extend(by_number.get(&number).map(|counts| (appid.clone(), *counts)));
        let good = runs::find_latest(reader, number, &[RunState::Succeeded]).await?;
        good_runs.extend(good.map(|record| (appid.clone(), record.run)));
    }
    let (by_number, mut users) = (statistics::count_users(reader).await?, HashMap::new());
    for program in &app.config.mini_programs {
        let Some(number) = accounts::find(reader, &program.appid).await? else { continue };
        users.extend(by_number.get(&number).map(|counts| (program.appid.clone(), *counts)));
    }
    let expires_at = Instant::now() + MIN_TTL.max(started.elapsed() * TTL_FACTOR);
    Ok(Counts { counted_at, followers, users, good_runs, expires_at })
}
