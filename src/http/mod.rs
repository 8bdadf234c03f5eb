//! The HTTP side of `serve`: the API, health checks, metrics, and the OpenAPI document.
//!
//! Connections are served by our own loop on hyper-util, because `axum::serve` waits for ever on a
//! client that sends half a request. Never calls WeChat.
//!
//! # How to add a route
//!
//! Each resource is one file in `v1/`, whose `pub(super) fn router() -> OpenApiRouter<Context>` is merged
//! in `v1/mod.rs`. Mount handlers with `routes!` only, which takes the path from the document:
//!
//! ```text
//! pub(super) fn router() -> OpenApiRouter<Context> {
//!     OpenApiRouter::default().routes(routes!(get_thing, delete_thing)) // one `routes!` per path
//! }
//!
//! /// The title in the API reference
//! ///
//! /// The description below the title.
//! #[utoipa::path(
//!     get, path = "/v1/things/{appid}", tag = "things", security(("api_key" = ["read"])),
//!     params(("appid" = String, Path, pattern = r"^[A-Za-z0-9_-]{1,64}$")),
//!     responses((status = 200, body = ThingResponse),
//!               (status = 404, description = "`thing_unknown`: no such thing exists"))
//! )]
//! async fn get_thing(
//!     caller: Caller<auth::Read>,            // first: the key is checked before anything else
//!     State(context): State<Context>,        // context.app is the application
//!     Path(appid): Path<AppId>,              // ours (super::parameters), not axum's
//!     Query(query): Query<ThingQuery>,       // deny_unknown_fields; Query<Nothing> for none
//!     Json(request): Json<ThingRequest>,     // ours (super::body); Json<T, BULK> for 256 KiB
//! ) -> Result<Json<ThingResponse>, Problem> {
//!     caller.require_app(&appid)?;
//!     let thing = store::in_time(things::find(…)).await?;  // store::Error becomes 500 or 503
//!     thing.map(Json).ok_or_else(|| Problem::not_found("thing_unknown", "no such thing exists"))
//! }
//! ```
//!
//! The statuses that follow from a key or a body (400, 401, 403, 408, 413, 415, 429, 500, 503) are
//! documented automatically; a handler documents its own. Handler names are operation ids and must be
//! unique.
//!
//! A list takes a `Limit` and a `Cursor` (`paging`) and leaves out accounts that `caller.allows` rejects.
//! Work that must not be interrupted, or that outlives its request, runs in `context.background`.

mod auth;
mod background;
mod body;
mod client;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod health;
mod metrics;
mod observe;
mod openapi;
mod paging;
mod parameters;
mod request_metrics;
mod server;
mod stats_cache;
mod v1;

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::{Router, middleware};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::telemetry::Metrics;
use background::Background;
use error::Problem;
use request_metrics::RequestMetrics;
use stats_cache::StatsCache;

pub use client::{Client, ClientError, Health, health};

/// Response types of the API, so that the command line prints the same JSON.
pub mod responses {
    pub use super::v1::{
        CategoryResponse, IndustryResponse, KeywordResponse, LibraryTemplate, MessageResponse,
        ResolveResponse, SubscribeTemplateResponse, TemplateResponse,
    };
}

/// How long connections are still accepted after shutdown was requested, so that load balancers see
/// `/readyz` fail before connections are refused.
pub const GRACE: Duration = Duration::from_secs(2);

/// The shared state of all handlers.
#[derive(Clone)]
struct Context(Arc<Shared>);

struct Shared {
    app: Arc<App>,
    metrics: Metrics,
    request_metrics: RequestMetrics,
    document: String,
    migrated: AtomicBool,
    draining: CancellationToken,
    background: Background,
    stats: StatsCache,
}

impl Context {
    fn new(app: Arc<App>, metrics: Metrics, draining: CancellationToken) -> Self {
        Self(Arc::new(Shared {
            app,
            metrics,
            request_metrics: RequestMetrics::default(),
            document: document(),
            migrated: AtomicBool::new(false),
            background: Background::new(draining.clone()),
            stats: StatsCache::default(),
            draining,
        }))
    }
}

impl Deref for Context {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Serves until `stop` fires. Then `/readyz` fails, connections are accepted for `grace`, and requests in
/// flight and their background work are finished. Clients can delay that by at most 20 s.
pub async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    metrics: Metrics,
    grace: Duration,
    stop: CancellationToken,
) {
    // If this fails, no key is accepted until the next load.
    if let Err(error) = app.keys.load().await {
        tracing::warn!(%error, "could not read the API keys");
    }
    let _fold = AbortOnDropHandle::new(tokio::spawn(metrics.clone().fold()));
    let served = CancellationToken::new();
    let watch = app.keys.watch(served.clone());
    let context = Context::new(app.clone(), metrics, stop.clone());
    let service = async {
        server::serve(listener, router(context.clone()), grace, stop).await;
        context.background.drain().await;
        served.cancel();
    };
    tokio::join!(watch, service);
}

/// Returns the OpenAPI document of the API as JSON.
pub fn document() -> String {
    let (_, document) = routes().split_for_parts();
    openapi::complete(document).to_pretty_json().unwrap_or_default()
}

/// All routes, with their OpenAPI descriptions.
fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::with_openapi(openapi::empty())
        .merge(health::router())
        .merge(metrics::router())
        .merge(openapi::router())
        .merge(v1::router())
}

fn router(context: Context) -> Router {
    let (routes, _) = routes().split_for_parts();
    let not_found = async || {
        Problem::not_found("not_found", "no route matches this path").hint("/docs lists all paths")
    };
    routes
        .merge(openapi::page())
        .fallback(not_found)
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(middleware::from_fn_with_state(context.clone(), observe::observe))
        .with_state(context)
}
