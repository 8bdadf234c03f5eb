//! `demo`: the main job at work, against a sandbox in this very process.

mod api;
mod nights;

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

/// The main job at work: a sandbox WeChat and a SQLite database in a temporary folder.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Followers to mirror
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    followers: u64,
    /// End after the show, instead of serving until Ctrl-C
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
            let told = self.tell(&app, &sandbox, address, &stop).await;
            stop.cancel();
            told
        };
        let (told, (), (), ()) = tokio::join!(story, api, callbacks, messages);
        app.store.clone().close().await?;
        sandbox.stop().await;
        told
    }

    /// A WeChat that takes its time, though less than the real one, and calls us back.
    async fn sandbox(&self) -> Result<(Sandbox, TcpListener), Failure> {
        let listener = match TcpListener::bind(USUAL_ADDRESS).await {
            Ok(listener) => listener,
            // The usual port is taken, perhaps by the real service: any will do for a demo.
            Err(_) => TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?,
        };
        let address = listener.local_addr()?;
        let options = Options::with_followers(self.followers)
            .latency(Call::UserGet, Duration::from_millis(100))
            .latency(Call::UserInfoBatchget, Duration::from_millis(20))
            .callback_url(&format!("http://{address}/v1/callbacks/{{appid}}"));
        Ok((Sandbox::start(options).await?, listener))
    }

    async fn tell(
        &self,
        app: &App,
        sandbox: &Sandbox,
        address: std::net::SocketAddr,
        stop: &CancellationToken,
    ) -> Result<Exit, Failure> {
        let Some(account) = app.config.official_accounts.first() else { return Ok(Exit::Failed) };
        let exit = nights::show(app, account, sandbox, stop).await?;
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

/// Where `serve` listens unless told otherwise, so that what the demo prints can be kept.
const USUAL_ADDRESS: &str = "127.0.0.1:8080";

fn configuration(sandbox: &Sandbox, database: &std::path::Path) -> Result<Config, Failure> {
    let text = format!(
        "{}\n[database]\nurl = \"sqlite://{}?mode=rwc\"\n\n[log]\nfilter = \"warn\"\n",
        sandbox.config_toml(),
        database.display()
    );
    // Not the operator's own file or environment: the demo must not touch a real account.
    Ok(config::load(&Sources::defaults().with_text("demo.toml", &text))?.config)
}
