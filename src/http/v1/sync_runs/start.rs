//! A run asked for over HTTP: known when the request is answered, worked afterwards.

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

/// Which account to sync, and how
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StartSyncRunRequest {
    /// The Official Account; all that the API key is for where it is left out
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    appid: Option<AppId>,
    /// Ask for every follower's profile
    #[serde(default)]
    full: bool,
    /// Give an interrupted run up and begin another
    #[serde(default)]
    restart: bool,
}

/// The run that is under way, or one for each of several accounts
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum StartedSyncRuns {
    One(Box<SyncRunResponse>),
    Several(Page<SyncRunResponse>),
}

/// Start a run, or let an interrupted one go on
///
/// Of the account named, or of every Official Account that the API key is for. Answered as soon as the run
/// is known; it is worked in the background of this process. The account's open run, paused or interrupted,
/// goes on from its checkpoint unless `restart` gives it up.
///
/// The answer is the run where one account is meant, and a list of runs where several are: of the accounts
/// that nobody works on already.
#[utoipa::path(
    post, path = "/v1/sync-runs", tag = "sync", security(("api_key" = ["sync"])),
    request_body(content = Option<StartSyncRunRequest>, description = "May be left out"),
    responses(
        (status = 202, description = "Under way; `Location` is where it can be looked at",
            body = StartedSyncRuns, headers(("Location" = String, description = "The run, or the list"))),
        (status = 404, description = "`official_account_unknown`: the account is not configured, or none is"),
        (status = 409, description = "`sync_running`: a run of the account is being worked on, or of every \
            account; `sync_run` is its number"),
    )
)]
pub(super) async fn start_sync_run(
    caller: Caller<auth::Sync>,
    State(context): State<Context>,
    _: Query<Nothing>,
    body: Option<Json<StartSyncRunRequest>>,
) -> Result<Accepted<StartedSyncRuns>, Problem> {
    let nothing = StartSyncRunRequest { appid: None, full: false, restart: false };
    let StartSyncRunRequest { appid, full, restart } = body.map_or(nothing, |Json(asked)| asked);
    let request = Request { trigger: Trigger::Manual, scheduled_at: None, full, restart };
    let meant = accounts::meant(&context, &caller, OFFICIAL, appid.as_ref())?;
    match meant.as_slice() {
        [] => Err(nobody(&context, &caller)),
        [only] => {
            let run = start(&context, &caller, only, request).await?;
            let location = format!("/v1/sync-runs/{}", run.id);
            Ok(Accepted { location, body: StartedSyncRuns::One(Box::new(SyncRunResponse(run))) })
        }
        several => start_all(&context, &caller, several, request).await,
    }
}

/// Why there is no account to sync.
fn nobody(context: &Context, caller: &Caller<auth::Sync>) -> Problem {
    let theirs = context.app.accounts.of(OFFICIAL).find_map(|appid| caller.may_name(appid).err());
    theirs.unwrap_or_else(|| {
        Problem::not_found("official_account_unknown", "no Official Account is configured")
    })
}

/// Starts a run of each account.
///
/// # Errors
/// Where none was started: why the first was not.
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
                tracing::info!(app.id = %appid, code = problem.code(), "no run was started");
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

/// Starts a run of one account, which is worked in the background.
async fn start(
    context: &Context,
    caller: &Caller<auth::Sync>,
    appid: &AppId,
    request: Request,
) -> Result<Run, Problem> {
    let job = job(context, caller, appid).await?;
    refuse_if_busy(context, &job).await?;
    let worked = job.clone();
    let begun = context.background.begin(move |tell| work(worked, request, tell)).await;
    match begun.ok_or_else(Problem::database_unavailable)? {
        Ok(run) => Ok(run),
        Err(Error::LeaseHeld(_)) => Err(busy(context, &job).await),
        Err(error) => Err(error.into()),
    }
}

/// Begins a run, tells of it, and works it. How it ended is in its row and in the log.
async fn work(job: sync::Job, request: Request, tell: oneshot::Sender<Result<Run, Error>>) {
    match sync::begin(&job, request).await {
        Ok(started) => {
            // Whoever asked may have gone; the run goes on all the same.
            let _ = tell.send(Ok(started.run().clone()));
            if let Err(error) = started.work(&job).await {
                tracing::warn!(app.id = %job.wechat.appid(), %error, "the sync asked for ended");
            }
        }
        Err(error) => _ = tell.send(Err(error)),
    }
}
