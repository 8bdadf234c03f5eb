//! A run asked for over HTTP: known when the request is answered, worked afterwards.

use axum::extract::State;
use serde::Deserialize;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::{SyncRunResponse, busy, job, official, refuse_if_busy, unknown};
use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::{Accepted, Json};
use crate::http::error::Problem;
use crate::http::parameters::{Nothing, Query};
use crate::model::{AppId, Run, Trigger};
use crate::sync::{self, Error, Request};

/// Which account to sync, and how
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StartSyncRunRequest {
    /// The Official Account; may be left out where one is configured
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    appid: Option<AppId>,
    /// Ask for every follower's profile
    #[serde(default)]
    full: bool,
    /// Give an interrupted run up and begin anew
    #[serde(default)]
    restart: bool,
}

/// Start a run, or let an interrupted one go on
///
/// Answered as soon as the run is known; it is worked in the background of this process. The account's
/// open run, paused or interrupted, goes on from its checkpoint unless `restart` gives it up.
#[utoipa::path(
    post, path = "/v1/sync-runs", tag = "sync", security(("api_key" = ["sync"])),
    request_body = StartSyncRunRequest,
    responses(
        (status = 202, description = "Under way; `Location` is where it can be looked at",
            body = SyncRunResponse, headers(("Location" = String, description = "The run"))),
        (status = 400, description = "`official_account_needed`: several Official Accounts are configured, or the \
            request cannot be understood"),
        (status = 404, description = "`official_account_unknown`: the account is not configured"),
        (status = 409, description = "`sync_running`: a run of the account is being worked on; \
            `sync_run` is its number"),
    )
)]
pub(super) async fn start_sync_run(
    caller: Caller<auth::Sync>,
    State(context): State<Context>,
    _: Query<Nothing>,
    Json(asked): Json<StartSyncRunRequest>,
) -> Result<Accepted<SyncRunResponse>, Problem> {
    let appid = meant(&context, &caller, asked.appid.as_ref())?;
    let job = job(&context, &caller, appid).await?;
    refuse_if_busy(&context, &job).await?;
    let StartSyncRunRequest { full, restart, .. } = asked;
    let request = Request { trigger: Trigger::Manual, scheduled_at: None, full, restart };
    let worked = job.clone();
    let begun = context.background.begin(move |tell| work(worked, request, tell)).await;
    match begun.ok_or_else(Problem::database_unavailable)? {
        Ok(run) => {
            let location = format!("/v1/sync-runs/{}", run.id);
            Ok(Accepted { location, body: SyncRunResponse(run) })
        }
        Err(Error::LeaseHeld(_)) => Err(busy(&context, &job).await),
        Err(error) => Err(error.into()),
    }
}

/// The account that is meant: the one there is, where none is named.
fn meant<'c>(
    context: &'c Context,
    caller: &Caller<auth::Sync>,
    asked: Option<&AppId>,
) -> Result<&'c AppId, Problem> {
    let mut known = official(context);
    let found = match (asked, known.next(), known.next()) {
        (Some(asked), ..) => {
            caller.may_name(asked)?;
            official(context).find(|appid| *appid == asked)
        }
        (None, Some(only), None) => {
            caller.may_name(only)?;
            Some(only)
        }
        (None, ..) => {
            let detail = "it has to be said which Official Account is meant";
            return Err(Problem::bad_request("official_account_needed", detail)
                .hint(format!("name one with `appid`; {}", caller.configured(official(context)))));
        }
    };
    found.ok_or_else(|| match asked {
        Some(asked) => unknown(context, caller, asked),
        None => {
            Problem::bad_request("official_account_needed", "no Official Account is configured")
        }
    })
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
