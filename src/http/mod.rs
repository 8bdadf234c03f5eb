//! The HTTP side of `serve`: health, so far.
//!
//! Connections are served by a loop of our own on hyper-util, because `axum::serve` waits for ever
//! on a client that sends half a request. Knows the application and never WeChat.

mod health;
mod server;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::App;

/// What handlers work with.
#[derive(Clone)]
struct Context {
    app: Arc<App>,
    draining: CancellationToken,
}

/// Serves until `stop` fires and the requests under way are answered.
pub async fn serve(app: Arc<App>, listener: TcpListener, stop: CancellationToken) {
    let context = Context { app, draining: stop.clone() };
    server::serve(listener, router(context), stop).await;
}

fn router(context: Context) -> Router {
    Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/healthz", get(health::ready))
        .with_state(context)
}
