//! Decisions on runs that wait: confirm or cancel them.

use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::{SyncRunResponse, busy, find, job, refuse_if_busy};
use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::{Accepted, Json};
use crate::http::error::Problem;
use crate::http::parameters::{Nothing, Path, Query};
use crate::model::{Run, RunId};
use crate::sync::{self, Error};

/// Confirm a held run
///
/// Marks the followers that the run did not find as unfollowed. Check `unfollowed` and `error` of the run
/// first. If this takes longer than 3 s, the response is a 202 with the run as it was, and the work
/// continues.
#[utoipa::path(
    post, path = "/v1/sync-runs/{id}/confirm", tag = "sync", security(("api_key" = ["sync"])),
    params(("id" = i64, Path, description = "The id of the run", minimum = 1)),
    responses(
        (status = 200, description = "The run is confirmed", body = SyncRunResponse),
        (status = 202, description = "Not finished within 3 s; continues in the background. Follow the \
            run with `GET` at `Location`", body = SyncRunResponse,
            headers(("Location" = String, description = "The path of the run"))),
        (status = 404, description = "`sync_run_unknown`: the run does not exist. \
            `official_account_unknown`: its account is no longer configured"),
        (status = 409, description = "`sync_run_state`: the run is not held. `sync_run_outdated`: a newer \
            run of the account exists; this one can only be cancelled. `sync_running`: a run of the \
            account is in progress"),
        (status = 503, description = "`ending`: this process is shutting down. `database_unavailable`: the \
            database failed. Repeat the request after `Retry-After`"),
    )
)]
pub(super) async fn confirm_sync_run(
    caller: Caller<auth::Sync>,
    State(context): State<Context>,
    Path(id): Path<RunId>,
    _: Query<Nothing>,
) -> Result<Response, Problem> {
    let run = find(&context, &caller, id).await?;
    let confirm = async move |job: sync::Job| Ok(sync::confirm(&job, id).await?.run);
    decide(&context, &caller, run, confirm).await
}

/// Cancel a run
///
/// Ends a run that is paused, held or interrupted. A cancelled run cannot be resumed; what it has stored
/// stays.
#[utoipa::path(
    post, path = "/v1/sync-runs/{id}/cancel", tag = "sync", security(("api_key" = ["sync"])),
    params(("id" = i64, Path, description = "The id of the run", minimum = 1)),
    responses(
        (status = 200, description = "The run is cancelled", body = SyncRunResponse),
        (status = 202, description = "Not finished within 3 s; continues in the background. Follow the \
            run with `GET` at `Location`", body = SyncRunResponse,
            headers(("Location" = String, description = "The path of the run"))),
        (status = 404, description = "`sync_run_unknown`: the run does not exist. \
            `official_account_unknown`: its account is no longer configured"),
        (status = 409, description = "`sync_run_state`: the run has already ended. `sync_running`: this \
            or another run of the account is in progress"),
        (status = 503, description = "`ending`: this process is shutting down. `database_unavailable`: the \
            database failed. Repeat the request after `Retry-After`"),
    )
)]
pub(super) async fn cancel_sync_run(
    caller: Caller<auth::Sync>,
    State(context): State<Context>,
    Path(id): Path<RunId>,
    _: Query<Nothing>,
) -> Result<Response, Problem> {
    let run = find(&context, &caller, id).await?;
    let cancel = async move |job: sync::Job| sync::cancel(&job, id).await;
    decide(&context, &caller, run, cancel).await
}

/// Carries out the decision in the background, so that it completes even if the caller disconnects.
async fn decide<W>(
    context: &Context,
    caller: &Caller<auth::Sync>,
    run: Run,
    decision: impl FnOnce(sync::Job) -> W,
) -> Result<Response, Problem>
where
    W: Future<Output = Result<Run, Error>> + Send + 'static,
{
    let job = job(context, caller, &run.appid).await?;
    refuse_if_busy(context, &job).await?;
    let decided = decision(job.clone());
    let report = context.background.spawn(|sender| async move {
        if let Err(Err(error)) = sender.send(decided.await) {
            tracing::warn!(sync.run = run.id, %error, "could not confirm or cancel a sync run");
        }
    });
    match report.await {
        Some(Ok(run)) => Ok(Json::<_>(SyncRunResponse(run)).into_response()),
        Some(Err(Error::LeaseHeld(_))) => Err(busy(context, &job).await),
        Some(Err(error)) => Err(error.into()),
        None => {
            let location = format!("/v1/sync-runs/{}", run.id);
            Ok(Accepted { location, body: SyncRunResponse(run) }.into_response())
        }
    }
}
