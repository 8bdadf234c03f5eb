//! What to do about a run that waits: let it sweep, or end it.

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

/// Let a held run mark those it did not find as having left
///
/// Usually done when it is answered. Where that takes longer, the answer is 202 with the run as it stood,
/// and the run shows when it is done.
#[utoipa::path(
    post, path = "/v1/sync-runs/{id}/confirm", tag = "sync", security(("api_key" = ["sync"])),
    params(("id" = i64, Path, description = "The run's number", minimum = 1)),
    responses(
        (status = 200, description = "Done", body = SyncRunResponse),
        (status = 202, description = "Under way", body = SyncRunResponse,
            headers(("Location" = String, description = "The run"))),
        (status = 404, description = "`sync_run_unknown`: there is no such run; `official_account_unknown`: its \
            account is not configured any more"),
        (status = 409, description = "`sync_run_state`: the run is not held; `sync_run_outdated`: the \
            account was crawled again since; `sync_running`: a run of the account is being worked on"),
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

/// End a run for good, whatever it waits for
///
/// For runs that are paused, held or interrupted. One that is being worked on is answered with 409.
#[utoipa::path(
    post, path = "/v1/sync-runs/{id}/cancel", tag = "sync", security(("api_key" = ["sync"])),
    params(("id" = i64, Path, description = "The run's number", minimum = 1)),
    responses(
        (status = 200, description = "Done", body = SyncRunResponse),
        (status = 202, description = "Under way", body = SyncRunResponse,
            headers(("Location" = String, description = "The run"))),
        (status = 404, description = "`sync_run_unknown`: there is no such run; `official_account_unknown`: its \
            account is not configured any more"),
        (status = 409, description = "`sync_run_state`: the run has ended; `sync_running`: it, or \
            another one of the account, is being worked on"),
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

/// Does it in the background, so that it is done as a whole whatever becomes of the request.
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
    let told = context.background.begin(|tell| async move {
        if let Err(Err(error)) = tell.send(decided.await) {
            tracing::warn!(sync.run = run.id, %error, "what was decided on a run was not done");
        }
    });
    match told.await {
        Some(Ok(run)) => Ok(Json::<_>(SyncRunResponse(run)).into_response()),
        Some(Err(Error::LeaseHeld(_))) => Err(busy(context, &job).await),
        Some(Err(error)) => Err(error.into()),
        None => {
            let location = format!("/v1/sync-runs/{}", run.id);
            Ok(Accepted { location, body: SyncRunResponse(run) }.into_response())
        }
    }
}
