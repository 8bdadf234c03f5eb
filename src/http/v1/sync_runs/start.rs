//! Starts runs. The response is sent once a run is in the database; the run then continues in the background.

use axum::extract::State;
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::{OFFICIAL, SyncRunResponse, busy, job, refuse_if_busy};
use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::{Accepted, Json};
use crate::http::error::Problem;
use crate::http::paging::Page;
use crate::http::parameters::{Nothing, Query};
use crate::http::v1::accounts;
use crate::model::{AppId, Run, Trigger};
use crate::sync::{self, Error, Request};

/// The account to sync, and how
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StartSyncRunRequest {
    /// The AppID of the Official Account; all accounts that the API key may access if left out
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    appid: Option<AppId>,
    /// Whether to fetch the profiles of all followers
    #[serde(default)]
    full: bool,
    /// Whether to cancel an interrupted run and start from the beginning
    #[serde(default)]
    restart: bool,
}

/// The started run, or a list with one run for each of several accounts
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum StartedSyncRuns {
    One(Box<SyncRunResponse>),
    Several(Page<SyncRunResponse>),
}

/// Start or resume a sync run
///
/// Syncs the given Official Account, or every Official Account that the API key may access. The response is
/// sent as soon as the run is recorded; the run itself continues in the background. A paused or interrupted
/// run of the account resumes from its checkpoint, unless `restart` is set.
///
/// For one account the response is the run. For several accounts it is a list, without the accounts that
/// already have a run in progress.
#[utoipa::path(
    post, path = "/v1/sync-runs", tag = "sync", security(("api_key" = ["sync"])),
    request_body(content = Option<StartSyncRunRequest>,
        description = "Optional: without a body, all accounts are synced"),
    responses(
        (status = 202, description = "The run is in progress. Follow it with `GET` at `Location`",
            body = StartedSyncRuns,
            headers(("Location" = String, description = "The path of the run, or of the list of runs"))),
        (status = 404, description = "`official_account_unknown`: the account is not configured, or no \
            Official Account is configured"),
        (status = 409, description = "`sync_running`: a run of the account, or of each account, is \
            already in progress; `sync_run` is its id if it is known"),
        (status = 503, description = "`ending`: this process is shutting down. `database_unavailable`: the \
            database failed. Repeat the request after `Retry-After`"),
    )
)]
pub(super) async fn start_sync_run(
    caller: Caller<auth::Sync>,
    State(context): State<Context>,
    _: Query<Nothing>,
    body: Option<Json<StartSyncRunRequest>>,
) -> Result<Accepted<StartedSyncRuns>, Problem> {
    let default = StartSyncRunRequest { appid: None, full: false, restart: false };
    let StartSyncRunRequest { appid, full, restart } = body.map_or(default, |Json(body)| body);
    let request = Request { trigger: Trigger::Manual, scheduled_at: None, full, restart };
    let selected = accounts::select(&context, &caller, OFFICIAL, appid.as_ref())?;
    match selected.as_slice() {
        [] => Err(no_account(&context, &caller)),
        [only] => {
            let run = start(&context, &caller, only, request).await?;
            let location = format!("/v1/sync-runs/{}", run.id);
            Ok(Accepted { location, body: StartedSyncRuns::One(Box::new(SyncRunResponse(run))) })
        }
        several => start_all(&context, &caller, several, request).await,
    }
}

/// The error if there is no account to sync: none that the key may access, or none at all.
fn no_account(context: &Context, caller: &Caller<auth::Sync>) -> Problem {
    let mut accounts = context.app.accounts.of(OFFICIAL);
    let forbidden = accounts.find_map(|appid| caller.require_app(appid).err());
    forbidden.unwrap_or_else(|| {
        Problem::not_found("official_account_unknown", "no Official Account is configured")
    })
}

/// Starts a run of each account.
///
/// # Errors
/// The error of the first account, if no run was started.
async fn start_all(
    context: &Context,
    caller: &Caller<auth::Sync>,
    appids: &[&AppId],
    request: Request,
) -> Result<Accepted<StartedSyncRuns>, Problem> {
    let started = appids.iter().map(|appid| start(context, caller, appid, request));
    let (mut data, mut refused) = (Vec::new(), None);
    for (appid, run) in appids.iter().zip(join_all(started).await) {
        match run {
            Ok(run) => data.push(SyncRunResponse(run)),
            Err(problem) => {
                tracing::info!(app.id = %appid, code = problem.code(), "could not start a sync run");
                refused = refused.or(Some(problem));
            }
        }
    }
    match refused {
        Some(problem) if data.is_empty() => Err(problem),
        _ => {
            let (location, next_cursor) = ("/v1/sync-runs".to_owned(), None);
            let body = StartedSyncRuns::Several(Page { data, next_cursor });
            Ok(Accepted { location, body })
        }
    }
}

/// Starts a run of one account in the background.
async fn start(
    context: &Context,
    caller: &Caller<auth::Sync>,
    appid: &AppId,
    request: Request,
) -> Result<Run, Problem> {
    let job = job(context, caller, appid).await?;
    refuse_if_busy(context, &job).await?;
    let background_job = job.clone();
    let started =
        context.background.spawn(move |sender| execute(background_job, request, sender)).await;
    match started.ok_or_else(Problem::database_too_slow)? {
        Ok(run) => Ok(run),
        Err(Error::LeaseHeld(_)) => Err(busy(context, &job).await),
        Err(error) => Err(error.into()),
    }
}

/// Starts a run, reports it, and executes it. Its outcome is in the database and in the log.
async fn execute(job: sync::Job, request: Request, sender: oneshot::Sender<Result<Run, Error>>) {
    match sync::begin(&job, request).await {
        Ok(started) => {
            // The run continues even if the caller has disconnected.
            let _ = sender.send(Ok(started.run().clone()));
            if let Err(error) = started.work(&job).await {
                let appid = job.wechat.appid();
                tracing::warn!(app.id = %appid, %error, "a sync that was started over the API stopped");
            }
        }
        Err(error) => _ = sender.send(Err(error)),
    }
}
