//! `demo`: shows the whole service at work against a sandbox in the same process.

mod api;
mod syncs;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Exit, Failure, progress, signals};
use crate::app::App;
use crate::config::{self, Config, Sources};
use crate::sandbox::{Call, Options, Sandbox};
use crate::{http, telemetry};

/// Demonstrate the service with a simulated WeChat and a temporary SQLite database
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Number of simulated followers
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    followers: u64,
    /// Exit at the end of the demo instead of serving until Ctrl-C
    #[arg(long)]
    once: bool,
}

impl Demo {
    pub(super) async fn run(self) -> Result<Exit, Failure> {
        let stop = signals::stop_on_signal()?;
        let folder = tempfile::tempdir()?;
        let (sandbox, listener) = self.sandbox().await?;
        let config = configuration(&sandbox, &folder.path().join("demo.db"))?;
        telemetry::init(&config.log, progress::Writer)?;
        let metrics = telemetry::Metrics::install()?;
        let app = Arc::new(App::open(config).await?);
        let address = listener.local_addr()?;
        let api = http::serve(app.clone(), listener, metrics, Duration::ZERO, stop.clone());
        let callbacks = app.inbox.clone().work(stop.clone());
        let messages = app.push.clone().work(stop.clone());
        let story = async {
            let outcome = self.play(&app, &sandbox, address, &stop).await;
            stop.cancel();
            outcome
        };
        let (outcome, (), (), ()) = tokio::join!(story, api, callbacks, messages);
        app.store.clone().close().await?;
        sandbox.stop().await;
        outcome
    }

    /// Starts a sandbox with some latency (less than the real WeChat) and callbacks to this process.
    async fn sandbox(&self) -> Result<(Sandbox, TcpListener), Failure> {
        let listener = match TcpListener::bind(DEFAULT_ADDRESS).await {
            Ok(listener) => listener,
            // The default port is taken, perhaps by the real service: use any free one.
            Err(_) => TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?,
        };
        let address = listener.local_addr()?;
        let options = Options::with_followers(self.followers)
            .latency(Call::UserGet, Duration::from_millis(100))
            .latency(Call::UserInfoBatchget, Duration::from_millis(20))
            .callback_url(&format!("http://{address}/v1/callbacks/{{appid}}"));
        Ok((Sandbox::start(options).await?, listener))
    }

    async fn play(
        &self,
        app: &App,
        sandbox: &Sandbox,
        address: std::net::SocketAddr,
        stop: &CancellationToken,
    ) -> Result<Exit, Failure> {
        let Some(account) = app.config.official_accounts.first() else { return Ok(Exit::Failed) };
        let exit = syncs::show(app, account, sandbox, stop).await?;
        if exit != Exit::Done {
            return Ok(exit);
        }
        let key = api::show(app, sandbox, address).await?;
        if !self.once {
            api::invite(&key, sandbox, address);
            stop.cancelled().await;
        }
        Ok(Exit::Done)
    }
}

/// The default of `serve`, so that the commands the demo prints work there too.
const DEFAULT_ADDRESS: &str = "127.0.0.1:8080";

fn configuration(sandbox: &Sandbox, database: &std::path::Path) -> Result<Config, Failure> {
    let text = format!(
        "{}\n[database]\nurl = \"sqlite://{}?mode=rwc\"\n\n[log]\nfilter = \"warn\"\n",
        sandbox.config_toml(),
        database.display()
    );
    // Ignores the operator's file and environment: the demo must not touch a real account.
    Ok(config::load(&Sources::defaults().with_text("demo.toml", &text))?.config)
}
