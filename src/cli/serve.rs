//! `serve`: the service.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Exit, Failure, Global, context, output, signals};
use crate::app::App;
use crate::telemetry::Metrics;
use crate::{http, scheduler};

/// How long all work may take to end: longer than the drain of requests, so that it is the exception.
const LONGEST_END: Duration = Duration::from_secs(22);

/// How long connections to the database may take to close.
const LONGEST_CLOSE: Duration = Duration::from_secs(2);

/// The schedule, the HTTP API, the messages and the work that callbacks bring, until Ctrl-C or SIGTERM.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Where to listen, instead of http.listen
    #[arg(long, value_name = "ADDR")]
    listen: Option<std::net::SocketAddr>,
    /// Fail where the database lacks migrations, instead of applying them
    #[arg(long)]
    no_migrate: bool,
}

impl Serve {
    pub(super) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let stop = signals::stop_on_signal()?;
        let metrics = Metrics::install()?;
        let app = Arc::new(context::opened_as_told(global, self.no_migrate).await?);
        let address = self.listen.unwrap_or(app.config.http.listen);
        let listener = listen(address).await?;
        output::talk(format_args!("listening on http://{}", listener.local_addr()?));
        let schedule = async {
            let ended = match app.config.sync.enabled {
                true => scheduler::run(app.clone(), stop.clone()).await,
                false => Ok(()),
            };
            // Better down, where a supervisor sees it, than up and never syncing.
            if ended.is_err() {
                output::talk("the schedule does not run: shutting down");
                stop.cancel();
            }
            ended
        };
        let api = http::serve(app.clone(), listener, metrics, http::GRACE, stop.clone());
        let callbacks = app.inbox.clone().work(stop.clone());
        let messages = async {
            if app.config.push.enabled {
                app.push.clone().work(stop.clone()).await;
            }
        };
        let work = async { tokio::join!(schedule, api, callbacks, messages).0 };
        let ended = tokio::select! {
            schedule = work => schedule,
            () = overdue(&stop) => {
                tracing::warn!("some work did not end in time; its leases end by themselves");
                Ok(())
            }
        };
        close(app.clone()).await?;
        ended?;
        Ok(Exit::Done)
    }
}

async fn listen(address: std::net::SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let error = anyhow::Error::new(error).context(format!("cannot listen on {address}"));
        let hint = Some("another program may have the address; change http.listen".to_owned());
        Failure::new(Exit::Failed, error, hint)
    })
}

/// Whoever started the process kills it 25 s after it was asked to end, if not later.
async fn overdue(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(LONGEST_END).await;
}

/// Folds SQLite's log into its file. Where the database does not even take leave, the next start does it.
async fn close(app: Arc<App>) -> Result<(), Failure> {
    match tokio::time::timeout(LONGEST_CLOSE, app.store.clone().close()).await {
        Ok(closed) => Ok(closed?),
        Err(_) => {
            tracing::warn!("the database's connections did not close in time");
            Ok(())
        }
    }
}
