//! The HTTP side of `serve`: the API, health, metrics, and the document about them.
//!
//! Connections are served by a loop of our own on hyper-util, because `axum::serve` waits for ever
//! on a client that sends half a request. Knows the application and never WeChat.
//!
//! # How to add a route
//!
//! One file a resource in `v1/`, with `pub(super) fn router() -> OpenApiRouter<Context>` that is merged
//! in `v1/mod.rs`. A handler is mounted by `routes!` only, which takes its path from the document:
//!
//! ```text
//! pub(super) fn router() -> OpenApiRouter<Context> {
//!     OpenApiRouter::default().routes(routes!(get_thing, delete_thing)) // one path a `routes!`
//! }
//!
//! /// What the API's reader sees as the title
//! ///
//! /// And what they see below it.
//! #[utoipa::path(
//!     get, path = "/v1/things/{appid}", tag = "things", security(("api_key" = ["read"])),
//!     params(("appid" = String, Path, pattern = r"^[A-Za-z0-9_-]{1,64}$")),
//!     responses((status = 200, body = ThingResponse),
//!               (status = 404, description = "`thing_unknown`: there is no such thing"))
//! )]
//! async fn get_thing(
//!     caller: Caller<auth::Read>,            // first: who may not is told so before anything else
//!     State(context): State<Context>,        // context.app is the application
//!     Path(appid): Path<AppId>,              // ours (super::parameters), not axum's
//!     Query(asked): Query<ThingQuery>,       // deny_unknown_fields; Query<Nothing> for none
//!     Json(request): Json<ThingRequest>,     // ours (super::body); Json<T, BULK> for 256 KiB
//! ) -> Result<Json<ThingResponse>, Problem> {
//!     caller.may_name(&appid)?;
//!     let thing = store::in_time(things::find(…)).await?;  // store::Error becomes 500 or 503
//!     thing.map(Json).ok_or_else(|| Problem::not_found("thing_unknown", "there is no such thing"))
//! }
//! ```
//!
//! What a key or a body leads to (400, 401, 403, 408, 413, 415, 429, 500, 503) is documented by itself;
//! a handler documents its own statuses. Every operation's name is unique.
//!
//! A list takes a `Limit` and a `Cursor` (`paging`) and leaves out what `caller.allows` does not allow.
//! Work that has to be done as a whole, or that outlives its request, goes through `context.background`.

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

/// What the API answers with, for the command line to print the same.
pub mod answer {
    pub use super::v1::{
        CategoryResponse, IndustryResponse, KeywordResponse, LibraryTemplate, MessageResponse,
        ResolveResponse, SubscribeTemplateResponse, TemplateResponse,
    };
}

/// How long connections are still taken after the process was asked to end, so that those who send
/// requests here have seen `/readyz` fail before they are turned away.
pub const GRACE: Duration = Duration::from_secs(2);

/// What handlers work with.
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

/// Serves until `stop` fires; then `/readyz` fails, connections are taken for `grace`, requests under way
/// are answered, and what they left to the background is waited for. Clients cannot hold that up for
/// longer than 20 s.
pub async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    metrics: Metrics,
    grace: Duration,
    stop: CancellationToken,
) {
    // Where this fails, nobody is let in until the next reading.
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

/// The OpenAPI document of the API, in JSON.
pub fn document() -> String {
    let (_, document) = routes().split_for_parts();
    openapi::completed(document).to_pretty_json().unwrap_or_default()
}

/// Every route there is, with its place in the document.
fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::with_openapi(openapi::empty())
        .merge(health::router())
        .merge(metrics::router())
        .merge(openapi::router())
        .merge(v1::router())
}

fn router(context: Context) -> Router {
    let (routes, _) = routes().split_for_parts();
    let nothing = async || {
        Problem::not_found("not_found", "there is nothing at this path")
            .hint("/docs names the paths there are")
    };
    routes
        .merge(openapi::page())
        .fallback(nothing)
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(middleware::from_fn_with_state(context.clone(), observe::observe))
        .with_state(context)
}
