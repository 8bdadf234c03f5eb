//! `/v1/sync-runs`: list and start runs of the follower sync, and decide on runs that wait.
//!
//! Runs execute in the background of this process, under the account's lease like scheduled runs. If another
//! process holds the lease, starting a run is a 409.

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

/// Only Official Accounts have followers.
const OFFICIAL: AccountKind = AccountKind::OfficialAccount;

/// The page size without a `limit`.
const DEFAULT_LIMIT: u64 = 20;

/// The maximum page size.
const MAX_LIMIT: u64 = 100;

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
    /// Only runs of this Official Account, by its AppID
    #[param(value_type = Option<String>, pattern = r"^[A-Za-z0-9_-]{1,64}$")]
    appid: Option<AppId>,
    /// Only runs in this state
    #[param(value_type = Option<String>,
        pattern = "^(running|paused|held|succeeded|failed|cancelled)$")]
    state: Option<RunState>,
    /// The maximum number of entries on the page; 20 by default
    #[param(value_type = Option<u64>, minimum = 1, maximum = 100)]
    limit: Option<Limit<MAX_LIMIT>>,
    /// The `next_cursor` of the previous page; left out for the first page
    #[param(value_type = Option<String>, pattern = "^r[0-7][0-9a-f]{15}$")]
    cursor: Option<Cursor>,
}

/// List sync runs
///
/// Runs of the follower sync, the newest first, of all Official Accounts that the API key may access.
/// Includes runs of accounts that are no longer configured.
#[utoipa::path(
    get, path = "/v1/sync-runs", tag = "sync", security(("api_key" = ["sync"])),
    params(SyncRunsQuery),
    responses(
        (status = 200, body = Page<SyncRunResponse>),
        (status = 404, description = "`official_account_unknown`: the account was never configured"),
    )
)]
async fn list_sync_runs(
    caller: Caller<auth::Sync>,
    State(context): State<Context>,
    Query(query): Query<SyncRunsQuery>,
) -> Result<Json<Page<SyncRunResponse>>, Problem> {
    let limit = query.limit.map_or(DEFAULT_LIMIT, Limit::get);
    let before = query.cursor.map(|cursor| cursor.row().cast_signed());
    let accounts = match &query.appid {
        Some(appid) => {
            caller.require_app(appid)?;
            Some(vec![number(&context, &caller, appid).await?])
        }
        None => numbers(&context, caller.appids()).await?,
    };
    let filter = runs::Filter { accounts, state: query.state };
    let reader = context.app.store.reader();
    let found = store::in_time(runs::list_page(reader, &filter, before, limit + 1)).await?;
    let after = |run: &Run| Cursor::after(run.id.cast_unsigned()).into();
    Ok(Json(Page::of_rows(found, limit, after, SyncRunResponse)))
}

/// Get a sync run
#[utoipa::path(
    get, path = "/v1/sync-runs/{id}", tag = "sync", security(("api_key" = ["sync"])),
    params(("id" = i64, Path, description = "The id of the run", minimum = 1)),
    responses(
        (status = 200, body = SyncRunResponse),
        (status = 404, description = "`sync_run_unknown`: the run does not exist"),
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

/// Returns the run if the key may access its account.
async fn find(context: &Context, caller: &Caller<auth::Sync>, id: RunId) -> Result<Run, Problem> {
    let found = store::in_time(runs::find(context.app.store.reader(), id)).await?;
    let run = found.ok_or(Error::NoSuchRun(id))?.run;
    caller.require_app(&run.appid)?;
    Ok(run)
}

/// Returns the number of an account that is or was configured.
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

/// Returns the numbers of these accounts, without those that have none yet; `None` for all accounts.
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

/// Returns everything that a run of the account needs.
async fn job(
    context: &Context,
    caller: &Caller<auth::Sync>,
    appid: &AppId,
) -> Result<sync::Job, Problem> {
    let accounts = &context.app.config.official_accounts;
    let account = accounts.iter().find(|account| account.appid == *appid);
    let account = account.ok_or_else(|| v1::accounts::unknown(context, caller, OFFICIAL, appid))?;
    if context.draining.is_cancelled() {
        return Err(Problem::shutting_down());
    }
    let stop = context.background.stop().clone();
    let job = context.app.sync_job(account, stop, std::sync::Arc::new(|_, _| {}));
    match tokio::time::timeout(store::DEADLINE, job).await {
        Ok(Ok(job)) => Ok(job),
        Ok(Err(app::Error::Store(error))) => Err(error.into()),
        Ok(Err(error)) => Err(Problem::internal(&error)),
        Err(_) => Err(Problem::database_too_slow()),
    }
}

/// Returns 409 if a process is executing a run of the account.
async fn refuse_if_busy(context: &Context, job: &sync::Job) -> Result<(), Problem> {
    let reader = context.app.store.reader();
    let name = sync::lease_name(job.wechat.appid());
    match store::in_time(leases::is_held(reader, &name)).await? {
        true => Err(busy(context, job).await),
        false => Ok(()),
    }
}

/// The 409 for an account whose run is being executed. Names the run if it is already in the database.
async fn busy(context: &Context, job: &sync::Job) -> Problem {
    let (reader, states) = (context.app.store.reader(), [RunState::Running, RunState::Paused]);
    let open = store::in_time(runs::find_latest(reader, job.account, &states)).await;
    let appid = job.wechat.appid();
    let problem = |detail| Problem::conflict("sync_running", detail);
    match open {
        Ok(Some(record)) => {
            let id = record.run.id;
            problem(format!("run {id} of {appid} is in progress"))
                .sync_run(id)
                .hint(format!("wait until it ends; GET /v1/sync-runs/{id} shows its progress"))
        }
        _ => {
            problem(format!("a sync of {appid} is in progress")).hint("try again in a few seconds")
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (detail, hint) = (error.to_string(), error.hint());
        match error {
            Error::Store(error) => error.into(),
            Error::Stopped => Self::shutting_down(),
            Error::NoSuchRun(_) => Self::not_found("sync_run_unknown", detail)
                .hint("GET /v1/sync-runs lists the existing runs"),
            Error::LeaseHeld(_) | Error::LeaseLost(_) | Error::TickTaken(_) => {
                Self::conflict("sync_running", detail).maybe_hint(hint)
            }
            Error::NotInState { .. } => Self::conflict("sync_run_state", detail)
                .hint("GET /v1/sync-runs/{id} shows the state of the run"),
            Error::Outdated(_) => Self::conflict("sync_run_outdated", detail)
                .hint("check the newer run; this one can only be cancelled"),
            error => Self::internal(&error),
        }
    }
}
