//! Whether the process lives, and whether it can work.
//!
//! WeChat being down never makes us unready: what is known can still be told.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Context;
use super::body::Json;
use super::error::{Check, Problem};
use super::parameters::Query;
use crate::store::{self, schema};

/// How soon to look again.
const RETRY: Duration = Duration::from_secs(2);

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default().routes(routes!(livez)).routes(routes!(readyz)).routes(routes!(healthz))
}

/// The service is well
#[derive(Serialize, ToSchema)]
struct Health {
    /// Always `ok`
    status: &'static str,
    /// What was checked, where `verbose` asks for it
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Check>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Ready {
    /// Whether to say what was checked; `?verbose` alone says yes
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

/// Whether the process answers
#[utoipa::path(get, path = "/livez", tag = "health", responses((status = 200, body = Health)))]
async fn livez() -> Json<Health> {
    Json(Health { status: "ok", checks: Vec::new() })
}

/// Whether requests should come here
///
/// The database answers, its schema is up to date, and the process is not about to end. WeChat being
/// down does not make the service unready.
#[utoipa::path(
    get, path = "/readyz", tag = "health", params(Ready),
    responses((status = 200, body = Health), (status = 503, description = "Not ready"))
)]
async fn readyz(
    State(context): State<Context>,
    Query(asked): Query<Ready>,
) -> Result<Json<Health>, Problem> {
    ready(&context, &asked).await
}

/// The same as /readyz
#[utoipa::path(
    get, path = "/healthz", tag = "health", params(Ready),
    responses((status = 200, body = Health), (status = 503, description = "Not ready"))
)]
async fn healthz(
    State(context): State<Context>,
    Query(asked): Query<Ready>,
) -> Result<Json<Health>, Problem> {
    ready(&context, &asked).await
}

async fn ready(context: &Context, asked: &Ready) -> Result<Json<Health>, Problem> {
    let draining = context.draining.is_cancelled();
    let going_on = if draining { "the process is about to end" } else { "the process goes on" };
    // At once: each may wait for the database as long as a caller has patience.
    let (database, migrations) = tokio::join!(database(context), migrations(context));
    let going_on = Check { name: "draining", ok: !draining, state: going_on };
    let checks = vec![going_on, database, migrations];
    if let Some(failed) = checks.iter().find(|check| !check.ok) {
        return Err(Problem::unavailable("not_ready", failed.state, RETRY).checks(checks));
    }
    let verbose = asked.verbose.as_ref().is_some_and(|flag| *flag != Flag::False);
    Ok(Json(Health { status: "ok", checks: if verbose { checks } else { Vec::new() } }))
}

async fn database(context: &Context) -> Check {
    let answered = store::in_time(context.app.store.ping()).await;
    let state = match &answered {
        Ok(()) => "the database answers",
        Err(_) => "the database does not answer",
    };
    Check { name: "database", ok: answered.is_ok(), state }
}

/// Asked until it holds: a schema does not grow old while the process lives.
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
        Err(_) => check(false, "nobody knows whether the schema is up to date"),
    }
}
