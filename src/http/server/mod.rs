//! The connection loop: timeouts, a limit on connections, and a graceful shutdown with a deadline.

mod open_files;
mod stalled;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use metrics::Gauge;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::request_metrics;
use stalled::WriteTimeout;

/// How long a client may take to send the head of a request, including the idle time before it.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest request head. Larger ones get 431.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// How long the shutdown may take. Service managers are configured to wait at least 25 s.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// The pause after the kernel failed to accept a connection, for example for lack of file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// Accepts connections until `grace` after `stop` fired, then waits for the open ones to finish.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    grace: Duration,
    stop: CancellationToken,
) {
    let permits = Arc::new(Semaphore::new(open_files::max_connections()));
    let (graceful, tasks) = (GracefulShutdown::new(), TaskTracker::new());
    let abort = CancellationToken::new();
    let drain_deadline = async {
        stop.cancelled().await;
        let stopped = Instant::now();
        tokio::time::sleep(grace).await;
        stopped + DRAIN_TIMEOUT
    };
    tokio::pin!(drain_deadline);
    let deadline = loop {
        let accepted = tokio::select! {
            deadline = &mut drain_deadline => break deadline,
            accepted = accept(&listener, &permits) => accepted,
        };
        let Some((stream, permit)) = accepted else { continue };
        let service = TowerToHyperService::new(router.clone());
        let stream = TokioIo::new(WriteTimeout::new(stream));
        let connection = graceful.watch(http().serve_connection(stream, service));
        let abort = abort.clone();
        tasks.spawn(async move {
            let _open = OpenConnection::new();
            if let Some(Err(error)) = abort.run_until_cancelled(connection).await {
                tracing::debug!(%error, "a connection failed");
            }
            drop(permit);
        });
    };
    drop(listener);
    if tokio::time::timeout_at(deadline, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            connections = tasks.len(),
            "the shutdown deadline passed; the requests still running were aborted"
        );
    }
    abort.cancel();
    tasks.close();
    tasks.wait().await;
}

fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(MAX_HEAD_BYTES);
    http
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // Responses are written in one go; Nagle's algorithm would only delay them.
            let _ = stream.set_nodelay(true);
            Some((stream, permit))
        }
        Err(error) => {
            tracing::warn!(%error, "could not accept a connection");
            tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
            None
        }
    }
}

/// Counts a connection in the metrics while it is open.
struct OpenConnection(Gauge);

impl OpenConnection {
    fn new() -> Self {
        let connections = request_metrics::connections();
        connections.increment(1);
        Self(connections)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}
