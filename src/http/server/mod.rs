//! The connection loop: time limits, a cap on connections, and a drain in two stages that ends.

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
use stalled::Impatient;

/// How long a client may take to send its request's head, the wait for its next one included.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest head: more is answered with 431.
const MOST_HEAD_BYTES: usize = 64 * 1024;

/// How long all may take once the process was asked to end: whoever started it waits for 25 s or more.
const DRAIN: Duration = Duration::from_secs(20);

/// How long to wait after the kernel refused a connection (no file descriptors left, say).
const AFTER_REFUSAL: Duration = Duration::from_millis(50);

/// Accepts connections until `grace` after `stop` fired, then lets those under way finish.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    grace: Duration,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(open_files::most_connections()));
    let (graceful, tasks) = (GracefulShutdown::new(), TaskTracker::new());
    let over = CancellationToken::new();
    let last_call = async {
        stop.cancelled().await;
        let asked = Instant::now();
        tokio::time::sleep(grace).await;
        asked + DRAIN
    };
    tokio::pin!(last_call);
    let deadline = loop {
        let accepted = tokio::select! {
            deadline = &mut last_call => break deadline,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, place)) = accepted else { continue };
        let service = TowerToHyperService::new(router.clone());
        let connection =
            graceful.watch(http().serve_connection(TokioIo::new(Impatient::new(stream)), service));
        let over = over.clone();
        tasks.spawn(async move {
            let _open = Open::new();
            if let Some(Err(error)) = over.run_until_cancelled(connection).await {
                tracing::debug!(%error, "a connection ended badly");
            }
            drop(place);
        });
    };
    drop(listener);
    if tokio::time::timeout_at(deadline, graceful.shutdown()).await.is_err() {
        tracing::warn!(connections = tasks.len(), "some requests were cut off by the end");
    }
    over.cancel();
    tasks.close();
    tasks.wait().await;
}

fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(MOST_HEAD_BYTES);
    http
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // An answer is written at once and must not wait for the next.
            let _ = stream.set_nodelay(true);
            Some((stream, place))
        }
        Err(error) => {
            tracing::warn!(%error, "could not accept a connection");
            tokio::time::sleep(AFTER_REFUSAL).await;
            None
        }
    }
}

/// Counts a connection for as long as it is open.
struct Open(Gauge);

impl Open {
    fn new() -> Self {
        let connections = request_metrics::connections();
        connections.increment(1);
        Self(connections)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}
