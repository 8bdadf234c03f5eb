//! `runs`: lists past syncs, and confirms or cancels held ones.

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;

use super::{Exit, Failure, Global, context, output, sync as sync_command};
use crate::app::App;
use crate::model::{Run, RunId};
use crate::store::runs;
use crate::sync;

/// List past syncs, and confirm or cancel held ones
#[derive(Debug, Args)]
pub(super) struct Runs {
    #[command(subcommand)]
    command: Option<RunsCommand>,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// List the newest runs
    List {
        /// Maximum number of runs
        #[arg(long, default_value_t = 20)]
        limit: u64,
    },
    /// Show one run
    Show {
        /// The run's number
        id: RunId,
    },
    /// Let a held run mark the followers it did not find as having left
    Confirm {
        /// The run's number
        id: RunId,
    },
    /// Cancel a run permanently, whatever it waits for
    Cancel {
        /// The run's number
        id: RunId,
    },
}

impl Runs {
    pub(super) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let app = context::open_app(global).await?;
        match self.command.unwrap_or(RunsCommand::List { limit: 20 }) {
            RunsCommand::List { limit } => list(&app, limit, global.json).await,
            RunsCommand::Show { id } => show(&find(&app, id).await?, global.json),
            RunsCommand::Confirm { id } => {
                let run = find(&app, id).await?;
                let outcome = sync::confirm(&job(&app, &run).await?, id).await?;
                sync_command::report(&name(&app, &run), &outcome);
                show(&outcome.run, global.json)
            }
            RunsCommand::Cancel { id } => {
                let run = find(&app, id).await?;
                show(&cancel(&job(&app, &run).await?, id).await?, global.json)
            }
        }
    }
}

async fn list(app: &App, limit: u64, json: bool) -> Result<Exit, Failure> {
    let runs = runs::list(app.store.reader(), None, limit).await?;
    if json {
        output::json(&runs);
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = runs
        .iter()
        .map(|run| {
            [
                run.id.to_string(),
                name(app, run),
                run.state.to_string(),
                run.mode.to_string(),
                run.started_at.format("%Y-%m-%d %H:%M:%S").to_string(),
                format!("{:.1}", run.seconds),
                run.counts.listed.to_string(),
                run.counts.fetched.to_string(),
                run.counts.unfollowed.to_string(),
                run.error.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let heading = [
        "RUN",
        "ACCOUNT",
        "STATE",
        "MODE",
        "STARTED (UTC)",
        "SECONDS",
        "LISTED",
        "FETCHED",
        "LEFT",
        "ERROR",
    ];
    output::table(heading, &rows);
    Ok(Exit::Done)
}

fn show(run: &Run, json: bool) -> Result<Exit, Failure> {
    if json {
        output::json(run);
    } else {
        output::data(sync_command::summary(run.appid.as_str(), run));
        for (call, count) in &run.calls {
            output::data(format_args!("{count} calls of {call}"));
        }
    }
    Ok(Exit::Done)
}

async fn cancel(job: &sync::Job, id: RunId) -> Result<Run, Failure> {
    sync::cancel(job, id).await.map_err(|error| match error {
        sync::Error::LeaseHeld(_) => {
            let hint = "stop that process or wait for it to end, then cancel again".to_owned();
            Failure::new(Exit::Paused, error, Some(hint))
        }
        error => error.into(),
    })
}

async fn find(app: &App, id: RunId) -> Result<Run, Failure> {
    match runs::find(app.store.reader(), id).await? {
        Some(record) => Ok(record.run),
        None => {
            let hint = Some("`unionid-bridge runs list` lists the existing runs".to_owned());
            Err(Failure::new(Exit::Failed, anyhow::anyhow!("there is no run {id}"), hint))
        }
    }
}

async fn job(app: &App, run: &Run) -> Result<sync::Job, Failure> {
    let account = app.config.official_account(run.appid.as_str())?;
    let observer = std::sync::Arc::new(|_: &Run, _| {});
    Ok(app.sync_job(account, CancellationToken::new(), observer).await?)
}

fn name(app: &App, run: &Run) -> String {
    let account = app.config.official_account(run.appid.as_str());
    account.map_or_else(|_| run.appid.to_string(), |account| account.name.clone())
}
