//! `serve`: runs the service until Ctrl-C or SIGTERM.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Exit, Failure, Global, context, output, signals};
use crate::app::App;
use crate::telemetry::Metrics;
use crate::{http, scheduler};

/// How long all work may take to end after a signal. Longer than the drain of HTTP requests, so that it
/// is rarely reached.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(22);

/// How long database connections may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Run the service until Ctrl-C or SIGTERM: the HTTP API, nightly syncs, messages and callbacks
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Address to listen on, instead of http.listen
    #[arg(long, value_name = "ADDR")]
    listen: Option<std::net::SocketAddr>,
    /// Fail if migrations are pending, instead of applying them
    #[arg(long)]
    no_migrate: bool,
}

impl Serve {
    pub(super) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let stop = signals::stop_on_signal()?;
        let metrics = Metrics::install()?;
        let app = Arc::new(context::open_app_with(global, self.no_migrate).await?);
        let address = self.listen.unwrap_or(app.config.http.listen);
        let listener = listen(address).await?;
        output::message(format_args!("listening on http://{}", listener.local_addr()?));
        let schedule = async {
            let outcome = match app.config.sync.enabled {
                true => scheduler::run(app.clone(), stop.clone()).await,
                false => Ok(()),
            };
            // A process that ends is noticed by its supervisor; one that never syncs is not.
            if outcome.is_err() {
                output::message("the schedule cannot run, shutting down");
                stop.cancel();
            }
            outcome
        };
        let api = http::serve(app.clone(), listener, metrics, http::GRACE, stop.clone());
        let callbacks = app.inbox.clone().work(stop.clone());
        let messages = async {
            if app.config.push.enabled {
                app.push.clone().work(stop.clone()).await;
            }
        };
        let work = async { tokio::join!(schedule, api, callbacks, messages).0 };
        let outcome = tokio::select! {
            schedule = work => schedule,
            () = shutdown_timeout(&stop) => {
                tracing::warn!("some work did not stop in time; its leases will expire");
                Ok(())
            }
        };
        close(app.clone()).await?;
        outcome?;
        Ok(Exit::Done)
    }
}

async fn listen(address: std::net::SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let error = anyhow::Error::new(error).context(format!("cannot listen on {address}"));
        let hint = Some("stop the program that uses the address, or change http.listen".to_owned());
        Failure::new(Exit::Failed, error, hint)
    })
}

/// Returns [`SHUTDOWN_TIMEOUT`] after the signal. Supervisors kill the process after 25 s or more.
async fn shutdown_timeout(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(SHUTDOWN_TIMEOUT).await;
}

/// Closes the database, which merges SQLite's write-ahead log into its file. If the database does not
/// respond in time, the next start does it.
async fn close(app: Arc<App>) -> Result<(), Failure> {
    match tokio::time::timeout(CLOSE_TIMEOUT, app.store.clone().close()).await {
        Ok(closed) => Ok(closed?),
        Err(_) => {
            tracing::warn!("database connections did not close in time");
            Ok(())
        }
    }
}
