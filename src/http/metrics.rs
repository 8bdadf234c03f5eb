//! `/metrics`: the metrics of this process for Prometheus.

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Context;
use super::auth::{self, Caller};
use super::parameters::{Nothing, Query};

/// The content type of Prometheus's text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default().routes(routes!(metrics))
}

/// Metrics of this process, in Prometheus's text format
///
/// Each process reports its own numbers: scrape every replica.
#[utoipa::path(
    get, path = "/metrics", tag = "health", security(("api_key" = ["metrics"])),
    responses((status = 200, description = "Counters, gauges and histograms",
               body = String, content_type = "text/plain"))
)]
async fn metrics(
    _: Caller<auth::Metrics>,
    _: Query<Nothing>,
    State(context): State<Context>,
) -> ([(HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, TEXT_FORMAT)], context.metrics.render())
}
