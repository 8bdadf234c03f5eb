//! Liveness and readiness.
//!
//! WeChat being unreachable never makes the service unready: stored users can still be resolved.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Context;
use super::body::Json;
use super::error::{Check, Problem, database_state};
use super::parameters::Query;
use crate::store::{self, schema};

/// `Retry-After` of a process that is not ready.
const RETRY_AFTER: Duration = Duration::from_secs(2);

const NOT_READY: &str = "`not_ready`: `detail` is the first check that failed, and `checks` lists all of \
    them. Route requests to another process until this one is ready";

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default().routes(routes!(livez)).routes(routes!(readyz)).routes(routes!(healthz))
}

/// The process is healthy
#[derive(Serialize, ToSchema)]
struct Health {
    /// Always `ok`
    status: &'static str,
    /// The individual checks; present only with `verbose`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Check>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ReadyQuery {
    /// Whether to include the individual checks; `?verbose` without a value means `true`
    #[param(value_type = Option<String>, pattern = "^(true|false)?$")]
    verbose: Option<Flag>,
}

#[derive(Deserialize, PartialEq)]
enum Flag {
    #[serde(rename = "")]
    Given,
    #[serde(rename = "true")]
    True,
    #[serde(rename = "false")]
    False,
}

/// Liveness: whether the process responds
///
/// Checks neither the database nor WeChat. A process that does not answer should be restarted.
#[utoipa::path(get, path = "/livez", tag = "health", responses((status = 200, body = Health)))]
async fn livez() -> Json<Health> {
    Json(Health { status: "ok", checks: Vec::new() })
}

/// Readiness: whether requests should be routed to this process
///
/// The process is ready if the database answers, its schema is up to date, and no shutdown was requested.
/// WeChat being unreachable does not make it unready.
#[utoipa::path(
    get, path = "/readyz", tag = "health", params(ReadyQuery),
    responses((status = 200, body = Health), (status = 503, description = NOT_READY))
)]
async fn readyz(
    State(context): State<Context>,
    Query(query): Query<ReadyQuery>,
) -> Result<Json<Health>, Problem> {
    ready(&context, &query).await
}

/// Readiness: an alias of `/readyz`
#[utoipa::path(
    get, path = "/healthz", tag = "health", params(ReadyQuery),
    responses((status = 200, body = Health), (status = 503, description = NOT_READY))
)]
async fn healthz(
    State(context): State<Context>,
    Query(query): Query<ReadyQuery>,
) -> Result<Json<Health>, Problem> {
    ready(&context, &query).await
}

async fn ready(context: &Context, query: &ReadyQuery) -> Result<Json<Health>, Problem> {
    let is_draining = context.draining.is_cancelled();
    let state =
        if is_draining { "the process is shutting down" } else { "the process accepts requests" };
    let draining = Check { name: "draining", ok: !is_draining, state };
    // Concurrently, because each may wait for the database until its deadline.
    let (database, migrations) = tokio::join!(database(context), migrations(context));
    let checks = vec![draining, database, migrations];
    if let Some(failed) = checks.iter().find(|check| !check.ok) {
        return Err(Problem::unavailable("not_ready", failed.state, RETRY_AFTER).checks(checks));
    }
    let verbose = query.verbose.as_ref().is_some_and(|flag| *flag != Flag::False);
    Ok(Json(Health { status: "ok", checks: if verbose { checks } else { Vec::new() } }))
}

async fn database(context: &Context) -> Check {
    let ping = store::in_time(context.app.store.ping()).await;
    let state = match &ping {
        Ok(()) => "the database answers",
        Err(error) => database_state(error),
    };
    Check { name: "database", ok: ping.is_ok(), state }
}

/// Queries the database until the schema is up to date, and never again: migrations are not undone while
/// the process runs.
async fn migrations(context: &Context) -> Check {
    let check = |ok, state| Check { name: "migrations", ok, state };
    if context.migrated.load(Ordering::Relaxed) {
        return check(true, "the schema is up to date");
    }
    match store::in_time(schema::pending(&context.app.store)).await {
        Ok(0) => {
            context.migrated.store(true, Ordering::Relaxed);
            check(true, "the schema is up to date")
        }
        Ok(_) => check(false, "the database lacks migrations"),
        Err(_) => check(false, "the schema version could not be read"),
    }
}
