//! `serve`: the service.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;

use super::{Exit, Failure, Global, context, output, signals};
use crate::app::App;
use crate::telemetry::Metrics;
use crate::{http, scheduler};

/// How long the database may take to say goodbye. SQLite folds its log into the file meanwhile, and
/// does so at the next start where that takes longer.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);

/// The schedule, the HTTP API and the work that callbacks bring, until Ctrl-C or SIGTERM.
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
        let (schedule, (), ()) = tokio::join!(schedule, api, callbacks);
        let closed = close(app).await;
        schedule?;
        closed?;
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

/// A server whose machine is gone never says goodbye: its connections are left to the system.
async fn close(app: Arc<App>) -> Result<(), Failure> {
    match tokio::time::timeout(CLOSE_WITHIN, app.store.clone().close()).await {
        Ok(closed) => Ok(closed?),
        Err(_) => {
            output::talk("the database does not answer: its connections are dropped");
            Ok(())
        }
    }
}
