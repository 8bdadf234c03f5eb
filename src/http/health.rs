//! Whether the process lives, and whether it can work.
//!
//! WeChat being down never makes us unready: what is known can still be told.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::Context;

#[derive(Serialize)]
pub(super) struct Health {
    status: &'static str,
}

/// The process answers.
pub(super) async fn live() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// The database answers, and the process is not about to end.
pub(super) async fn ready(State(context): State<Context>) -> Response {
    if context.draining.is_cancelled() {
        return not_ready("draining");
    }
    match context.app.store.ping().await {
        Ok(()) => Json(Health { status: "ok" }).into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            not_ready("the database does not answer")
        }
    }
}

fn not_ready(status: &'static str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "2")], Json(Health { status })).into_response()
}
