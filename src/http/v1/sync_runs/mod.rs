//! Runs of the follower sync: their history, a new one, and what to do about those that wait.
//!
//! Runs are worked in this process's background, under the account's lease like those of the schedule: who
//! is asked for one while another process works it says so.

mod response;
mod start;
mod waiting;

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app;
use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::Json;
use crate::http::error::Problem;
use crate::http::paging::{self, Limit, Page};
use crate::http::parameters::{Nothing, Path, Query};
use crate::http::v1;
use crate::model::{AccountKind, AppId, Run, RunId, RunState};
use crate::store::{self, AccountId, accounts, leases, runs};
use crate::sync::{self, Error};

use response::SyncRunResponse;

/// Followers are an Official Account's.
const OFFICIAL: AccountKind = AccountKind::OfficialAccount;

/// Runs on a page, unless it is said how many.
const USUAL: u64 = 20;

/// Runs on a page at most.
const MOST: u64 = 100;

type Cursor = paging::Cursor<'r'>;

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default()
        .routes(routes!(list_sync_runs, start::start_sync_run))
        .routes(routes!(get_sync_run))
        .routes(routes!(waiting::confirm_sync_run))
        .routes(routes!(waiting::cancel_sync_run))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SyncRunsQuery {
    /// Only runs of the Official Account with this AppID
    #[param(value_type = Option<String>, pattern = r"^[A-Za-z0-9_-]{1,64}$")]
    appid: Option<AppId>,
    /// Only those that stand so
    #[param(value_type = Option<String>,
        pattern = "^(running|paused|held|succeeded|failed|cancelled)$")]
    state: Option<RunState>,
    /// How many at most; 20 where it is not said
    #[param(value_type = Option<u64>, minimum = 1, maximum = 100)]
    limit: Option<Limit<MOST>>,
    /// The `next_cursor` of the page before
    #[param(value_type = Option<String>, pattern = "^r[0-7][0-9a-f]{15}$")]
    cursor: Option<Cursor>,
}

/// Runs of the follower sync
///
/// The newest first, of all Official Accounts that the key is for.
#[utoipa::path(
    get, path = "/v1/sync-runs", tag = "sync", security(("api_key" = ["sync"])),
    params(SyncRunsQuery),
    responses(
        (status = 200, body = Page<SyncRunResponse>),
        (status = 404, description = "`official_account_unknown`: the account never was configured here"),
    )
)]
async fn list_sync_runs(
    caller: Caller<auth::Sync>,
    State(context): State<Context>,
    Query(asked): Query<SyncRunsQuery>,
) -> Result<Json<Page<SyncRunResponse>>, Problem> {
    let limit = asked.limit.map_or(USUAL, Limit::get);
    let before = asked.cursor.map(|cursor| cursor.row().cast_signed());
    let accounts = match &asked.appid {
        Some(appid) => {
            caller.may_name(appid)?;
            Some(vec![number(&context, &caller, appid).await?])
        }
        None => numbers(&context, caller.appids()).await?,
    };
    let filter = runs::Filter { accounts, state: asked.state };
    let reader = context.app.store.reader();
    let found = store::in_time(runs::list_page(reader, &filter, before, limit + 1)).await?;
    let after = |run: &Run| Cursor::after(run.id.cast_unsigned()).into();
    Ok(Json(Page::of_rows(found, limit, after, SyncRunResponse)))
}

/// One run of the follower sync
#[utoipa::path(
    get, path = "/v1/sync-runs/{id}", tag = "sync", security(("api_key" = ["sync"])),
    params(("id" = i64, Path, description = "The run's number", minimum = 1)),
    responses(
        (status = 200, body = SyncRunResponse),
        (status = 404, description = "`sync_run_unknown`: there is no such run"),
    )
)]
async fn get_sync_run(
    caller: Caller<auth::Sync>,
    State(context): State<Context>,
    Path(id): Path<RunId>,
    _: Query<Nothing>,
) -> Result<Json<SyncRunResponse>, Problem> {
    Ok(Json(SyncRunResponse(find(&context, &caller, id).await?)))
}

/// A run that the caller may see.
async fn find(context: &Context, caller: &Caller<auth::Sync>, id: RunId) -> Result<Run, Problem> {
    let found = store::in_time(runs::find(context.app.store.reader(), id)).await?;
    let run = found.ok_or(Error::NoSuchRun(id))?.run;
    caller.may_name(&run.appid)?;
    Ok(run)
}

/// The account's number, of one that is configured or was.
async fn number(
    context: &Context,
    caller: &Caller<auth::Sync>,
    appid: &AppId,
) -> Result<AccountId, Problem> {
    let store = &context.app.store;
    if context.app.accounts.of(OFFICIAL).any(|known| known == appid) {
        return Ok(store::in_time(accounts::find_or_insert(store, appid)).await?);
    }
    let found = store::in_time(accounts::find(store.reader(), appid)).await?;
    found.ok_or_else(|| v1::accounts::unknown(context, caller, OFFICIAL, appid))
}

/// The numbers of these accounts, of those that have one; `None` for all.
async fn numbers(
    context: &Context,
    appids: Option<&[AppId]>,
) -> Result<Option<Vec<AccountId>>, Problem> {
    let Some(appids) = appids else { return Ok(None) };
    let mut numbers = Vec::new();
    for appid in appids {
        let found = store::in_time(accounts::find(context.app.store.reader(), appid)).await?;
        numbers.extend(found);
    }
    Ok(Some(numbers))
}

/// All that working a run of the account needs.
async fn job(
    context: &Context,
    caller: &Caller<auth::Sync>,
    appid: &AppId,
) -> Result<sync::Job, Problem> {
    let accounts = &context.app.config.official_accounts;
    let account = accounts.iter().find(|account| account.appid == *appid);
    let account = account.ok_or_else(|| v1::accounts::unknown(context, caller, OFFICIAL, appid))?;
    if context.draining.is_cancelled() {
        return Err(Problem::ending());
    }
    let stop = context.background.stop().clone();
    let job = context.app.sync_job(account, stop, std::sync::Arc::new(|_, _| {}));
    match tokio::time::timeout(store::DEADLINE, job).await {
        Ok(Ok(job)) => Ok(job),
        Ok(Err(app::Error::Store(error))) => Err(error.into()),
        Ok(Err(error)) => Err(Problem::internal(&error)),
        Err(_) => Err(Problem::database_unavailable()),
    }
}

/// Refuses, where somebody works for the account's sync at this moment.
async fn refuse_if_busy(context: &Context, job: &sync::Job) -> Result<(), Problem> {
    let reader = context.app.store.reader();
    let name = sync::lease_name(job.wechat.appid());
    match store::in_time(leases::is_held(reader, &name)).await? {
        true => Err(busy(context, job).await),
        false => Ok(()),
    }
}

/// Why not: a run is being worked, and if it has its row by now, which.
async fn busy(context: &Context, job: &sync::Job) -> Problem {
    let (reader, states) = (context.app.store.reader(), [RunState::Running, RunState::Paused]);
    let open = store::in_time(runs::find_latest(reader, job.account, &states)).await;
    let appid = job.wechat.appid();
    let problem = |detail| Problem::conflict("sync_running", detail);
    match open {
        Ok(Some(record)) => {
            let id = record.run.id;
            problem(format!("run {id} of {appid} is being worked on"))
                .sync_run(id)
                .hint(format!("wait for it to end; GET /v1/sync-runs/{id} shows how far it is"))
        }
        _ => problem(format!("a process is at work on the sync of {appid}"))
            .hint("try again in a moment"),
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (detail, hint) = (error.to_string(), error.hint());
        match error {
            Error::Store(error) => error.into(),
            Error::Stopped => Self::ending(),
            Error::NoSuchRun(_) => Self::not_found("sync_run_unknown", detail)
                .hint("GET /v1/sync-runs names those there are"),
            Error::LeaseHeld(_) | Error::LeaseLost(_) | Error::TickTaken(_) => {
                Self::conflict("sync_running", detail).maybe_hint(hint)
            }
            Error::NotInState { .. } => Self::conflict("sync_run_state", detail)
                .hint("GET /v1/sync-runs/{id} shows how it stands"),
            Error::Outdated(_) => Self::conflict("sync_run_outdated", detail)
                .hint("look at the newer run; this one can only be cancelled"),
            error => Self::internal(&error),
        }
    }
}
