//! `sync`: runs a sync now.

use clap::Args;

use super::progress::Progress;
use super::{Exit, Failure, Global, context, failure, output, signals};
use crate::app::App;
use crate::config::OfficialAccount;
use crate::model::{Run, RunState, Trigger};
use crate::sync::{self, Forecast, Outcome, Request};

/// Sync followers now; an interrupted or paused run is resumed
#[derive(Debug, Args)]
#[command(after_help = "A held run exits with 0: the mirror is up to date except for departures, \
                        which wait for `runs confirm`")]
pub(super) struct Sync {
    /// Official Accounts, by name or AppID [default: all]
    #[arg(value_name = "ACCOUNT")]
    accounts: Vec<String>,
    /// Fetch every profile, including those of known followers
    #[arg(long)]
    full: bool,
    /// List the followers and report what a sync would do; fetches no profile and changes no
    /// follower and no run
    #[arg(long, conflicts_with = "restart")]
    dry_run: bool,
    /// Cancel an interrupted run and start over
    #[arg(long)]
    restart: bool,
    /// Fail if migrations are pending, instead of applying them
    #[arg(long)]
    no_migrate: bool,
}

impl Sync {
    pub(super) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let app = context::open_app_with(global, self.no_migrate).await?;
        let accounts = context::official_accounts(&app.config, &self.accounts)?;
        if accounts.is_empty() {
            output::message("no Official Account is configured, nothing to sync");
        }
        let exit = match self.dry_run {
            true => self.forecast(&app, &accounts, global.json).await,
            false => self.sync(&app, &accounts, global.json).await,
        };
        // Merges SQLite's write-ahead log into its file.
        app.store.close().await?;
        exit
    }

    async fn sync(
        &self,
        app: &App,
        accounts: &[OfficialAccount],
        json: bool,
    ) -> Result<Exit, Failure> {
        let stop = signals::stop_on_signal()?;
        let request = Request {
            trigger: Trigger::Manual,
            scheduled_at: None,
            full: self.full,
            restart: self.restart,
        };
        let (mut runs, mut worst) = (Vec::new(), Exit::Done);
        for account in accounts {
            let progress = Progress::new(&account.name);
            let job = app.sync_job(account, stop.clone(), progress.observer()).await?;
            let result = sync::run(&job, request).await;
            progress.finish();
            match result {
                Ok(outcome) => {
                    worst = worst.max(exit_of(&outcome));
                    report(&account.name, &outcome);
                    runs.push(outcome.run);
                }
                Err(error) => {
                    let failure = Failure::from(error);
                    worst = worst.max(failure.exit());
                    failure.report();
                }
            }
            if stop.is_cancelled() {
                break;
            }
        }
        if json {
            output::json(&runs);
        }
        Ok(worst)
    }

    async fn forecast(
        &self,
        app: &App,
        accounts: &[OfficialAccount],
        json: bool,
    ) -> Result<Exit, Failure> {
        let stop = signals::stop_on_signal()?;
        let (mut forecasts, mut worst) = (Vec::new(), Exit::Done);
        for account in accounts {
            let observer = std::sync::Arc::new(|_: &Run, _| {});
            let job = app.sync_job(account, stop.clone(), observer).await?;
            match sync::dry_run(&job, self.full).await {
                Ok(forecast) => {
                    if !json {
                        output::data(describe(&account.name, &forecast));
                    }
                    forecasts.push(forecast);
                }
                Err(error) => {
                    let failure = Failure::from(error);
                    worst = worst.max(failure.exit());
                    failure.report();
                }
            }
        }
        if json {
            output::json(&forecasts);
        }
        Ok(worst)
    }
}

pub(super) fn exit_of(outcome: &Outcome) -> Exit {
    match outcome.run.state {
        RunState::Succeeded | RunState::Held => Exit::Done,
        RunState::Paused => Exit::Paused,
        _ if outcome.error.as_ref().is_some_and(sync::Error::is_configuration) => {
            Exit::Configuration
        }
        _ => Exit::Failed,
    }
}

/// Prints how a run ended, with its error, warning and hint.
pub(super) fn report(name: &str, outcome: &Outcome) {
    output::message(summary(name, &outcome.run));
    if let Some(warning) = &outcome.run.warning {
        output::message(format_args!("warning: {warning}"));
    }
    if let Some(hint) = outcome.error.as_ref().and_then(failure::hint_of) {
        output::message(format_args!("hint: {hint}"));
    }
}

/// Formats a run in one line, plus a line for its error.
pub(super) fn summary(name: &str, run: &Run) -> String {
    let counts = &run.counts;
    let mut line = format!(
        "{name}: run {} {}, {} listed = {} known + {} fetched + {} quarantined + {} vanished; {} \
         rows written, {} left, {} without a unionid; {:.1} s",
        run.id,
        run.state,
        counts.listed,
        counts.known,
        counts.fetched,
        counts.quarantined,
        counts.vanished,
        counts.upserted,
        counts.unfollowed,
        counts.missing_unionid,
        run.seconds
    );
    if let Some(resume_at) = run.resume_at {
        line = format!("{line}; may resume from {}", resume_at.format("%Y-%m-%d %H:%M:%S UTC"));
    }
    if let Some(error) = &run.error {
        line = format!("{line}\n{name}: {error}");
    }
    line
}

fn describe(name: &str, forecast: &Forecast) -> String {
    let calls: Vec<_> =
        forecast.calls.iter().map(|(call, count)| format!("{count} {call}")).collect();
    format!(
        "{name}: {} followers listed, {} new, {} to refresh, {} known, {} to mark as having left; \
         calls: {}",
        forecast.listed,
        forecast.new,
        forecast.refreshed,
        forecast.known,
        forecast.departures,
        calls.join(", ")
    )
}
