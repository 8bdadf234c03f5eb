//! `demo`: the main job at work, against a sandbox in this very process.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::progress::{self, Progress};
use super::sync::{exit_of, summary};
use super::{Exit, Failure, output, signals};
use crate::app::App;
use crate::config::{self, Config, OfficialAccount, Sources};
use crate::model::Trigger;
use crate::sandbox::{Call, Options, Sandbox};
use crate::store::followers;
use crate::sync::{self, Outcome, Request};
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

/// How many people the demo shows.
const SHOWN: u64 = 3;

impl Demo {
    pub(super) async fn run(self) -> Result<Exit, Failure> {
        let stop = signals::stop_on_signal()?;
        let folder = tempfile::tempdir()?;
        let sandbox = Sandbox::start(self.options()).await?;
        let config = configuration(&sandbox, &folder.path().join("demo.db"))?;
        telemetry::init(&config.log, progress::Writer)?;
        let app = Arc::new(App::open(config).await?);
        let exit = show(&app, &sandbox, &stop).await?;
        if !self.once && exit == Exit::Done {
            serve(app.clone(), &sandbox, stop).await?;
        }
        app.store.clone().close().await?;
        sandbox.stop().await;
        Ok(exit)
    }

    /// A WeChat that takes its time, though less than the real one.
    fn options(&self) -> Options {
        Options::with_followers(self.followers)
            .latency(Call::UserGet, Duration::from_millis(100))
            .latency(Call::UserInfoBatchget, Duration::from_millis(20))
    }
}

fn configuration(sandbox: &Sandbox, database: &std::path::Path) -> Result<Config, Failure> {
    let text = format!(
        "{}\n[database]\nurl = \"sqlite://{}?mode=rwc\"\n\n[log]\nfilter = \"warn\"\n",
        sandbox.config_toml(),
        database.display()
    );
    // Not the operator's own file or environment: the demo must not touch a real account.
    Ok(config::load(&Sources::defaults().with_text("demo.toml", &text))?.config)
}

async fn show(app: &App, sandbox: &Sandbox, stop: &CancellationToken) -> Result<Exit, Failure> {
    let Some(account) = app.config.official_accounts.first() else { return Ok(Exit::Failed) };
    let people = sandbox.main().follower_count();
    output::talk(format_args!(
        "a sandbox WeChat with {people} followers answers at {}\n\nfirst night: mirroring all",
        sandbox.base_url()
    ));
    let first = night(app, account, stop).await?;
    if exit_of(&first) != Exit::Done {
        return Ok(exit_of(&first));
    }
    people_shown(app, account).await?;
    let (left, joined) = (people / 1_000, people / 500);
    let world = sandbox.main();
    world.leave(0..left);
    world.join(joined);
    output::talk(format_args!("\nnext night: {joined} people have joined, {left} have left"));
    let second = night(app, account, stop).await?;
    Ok(exit_of(&second))
}

async fn night(
    app: &App,
    account: &OfficialAccount,
    stop: &CancellationToken,
) -> Result<Outcome, Failure> {
    let progress = Progress::new(&account.name);
    let job = app.sync_job(account, stop.clone(), progress.observer()).await?;
    let request =
        Request { trigger: Trigger::Manual, scheduled_at: None, full: false, restart: false };
    let ended = sync::run(&job, request).await;
    progress.finish();
    let outcome = ended?;
    output::data(summary(&account.name, &outcome.run));
    for (call, count) in &outcome.run.calls {
        output::data(format_args!("  {count:>6} calls of {call}"));
    }
    Ok(outcome)
}

async fn people_shown(app: &App, account: &OfficialAccount) -> Result<(), Failure> {
    let (store, appid) = (&app.store, &account.appid);
    let number = crate::store::accounts::find_or_insert(store, appid).await?;
    let known = followers::list_known_from(store.reader(), number, 0, SHOWN).await?;
    let rows: Vec<_> = known
        .into_iter()
        .map(|follower| {
            let unionid = follower.unionid.map(|unionid| unionid.to_string());
            [follower.openid.to_string(), unionid.unwrap_or_default()]
        })
        .collect();
    output::data("");
    output::table(["OPENID IN THE OFFICIAL ACCOUNT", "UNIONID"], &rows);
    Ok(())
}

async fn serve(app: Arc<App>, sandbox: &Sandbox, stop: CancellationToken) -> Result<(), Failure> {
    let listener = TcpListener::bind(app.config.http.listen).await;
    let listener = match listener {
        Ok(listener) => listener,
        // The usual port is taken, perhaps by the real service: any will do for a demo.
        Err(_) => TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?,
    };
    let address = listener.local_addr()?;
    output::talk(format_args!("\nserving until Ctrl-C; look at it with"));
    output::data(format_args!("curl http://{address}/readyz"));
    output::data(format_args!("curl {}/sandbox/stats", sandbox.base_url()));
    output::data(format_args!("curl {}/sandbox/people?limit=3", sandbox.base_url()));
    let metrics = telemetry::Metrics::install()?;
    http::serve(app, listener, metrics, Duration::ZERO, stop).await;
    Ok(())
}
