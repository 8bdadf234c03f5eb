//! What was counted last, and one count at a time.
//!
//! Counting millions of rows takes seconds: a count serves everybody for a while, goes on when nobody
//! waits for it any more, and is made anew only when somebody asks.

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

/// For how long a count serves at least, and how many times as long as it took.
const SERVES_FOR: Duration = Duration::from_secs(5);
const SERVES_TIMES: u32 = 20;

/// For how long a request waits for a count.
const PATIENCE: Duration = Duration::from_secs(2);

/// Everybody, by account.
#[derive(Debug)]
pub(super) struct Count {
    /// When it was begun, on the database's clock.
    pub(super) counted_at: DateTime<Utc>,
    /// Official Accounts' people.
    pub(super) followers: HashMap<AppId, Followers>,
    /// Mini Programs' people.
    pub(super) users: HashMap<AppId, Users>,
    /// Each Official Account's latest run that succeeded.
    pub(super) good_runs: HashMap<AppId, Run>,
    serves_until: Instant,
}

/// Counts on demand.
#[derive(Default)]
pub(super) struct StatsCache(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    latest: Option<Arc<Count>>,
    under_way: Option<UnderWay>,
    /// With a count: one whose server fell silent must not keep the next from being made.
    patience: AdaptiveTimeout,
}

/// `None`: the count broke down, which was logged.
type UnderWay = Shared<BoxFuture<'static, Result<Arc<Count>, Option<Arc<store::Error>>>>>;

impl StatsCache {
    /// The latest count if it still serves; else a new one, or after a while the one before.
    pub(super) async fn take(&self, app: &Arc<App>) -> Result<Arc<Count>, Problem> {
        let (latest, count) = {
            let mut state = lock(&self.0);
            match &state.latest {
                Some(latest) if Instant::now() < latest.serves_until => return Ok(latest.clone()),
                latest => (latest.clone(), self.begin(&mut state, app)),
            }
        };
        // A database that is away is told from one that counts for long.
        store::in_time(app.store.ping()).await?;
        match (tokio::time::timeout(PATIENCE, count).await, latest) {
            (Ok(Ok(count)), _) | (Err(_), Some(count)) => Ok(count),
            (Ok(Err(Some(error))), _) => Err(Problem::from(&*error)),
            (Ok(Err(None)), _) => Err(Problem::internal(&BrokeDown)),
            (Err(_), None) => Err(Problem::unavailable(
                "counting",
                "the people are being counted for the first time since the start",
                PATIENCE,
            )),
        }
    }

    fn begin(&self, state: &mut State, app: &Arc<App>) -> UnderWay {
        if let Some(under_way) = &state.under_way {
            return under_way.clone();
        }
        let (app, kept, mut patience) = (app.clone(), self.0.clone(), state.patience);
        let counting = tokio::spawn(async move {
            let counted = patience.keep(count(&app)).await;
            let counted = counted.map(Arc::new).map_err(|error| Some(Arc::new(error)));
            let mut state = lock(&kept);
            (state.under_way, state.patience) = (None, patience);
            if let Ok(count) = &counted {
                state.latest = Some(count.clone());
            }
            counted
        });
        let kept = self.0.clone();
        let under_way = async move {
            counting.await.unwrap_or_else(|_| {
                lock(&kept).under_way = None;
                Err(None)
            })
        };
        let under_way = under_way.boxed().shared();
        state.under_way = Some(under_way.clone());
        under_way
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug, thiserror::Error)]
#[error("the count broke down")]
struct BrokeDown;

async fn count(app: &App) -> Result<Count, store::Error> {
    let (began, store) = (Instant::now(), app.store.for_all_rows());
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
    let serves_for = SERVES_FOR.max(began.elapsed() * SERVES_TIMES);
    let serves_until = Instant::now() + serves_for;
    Ok(Count { counted_at, followers, users, good_runs, serves_until })
}
