//! `doctor`: runs all checks and prints the findings.

use clap::Args;

use super::{Exit, Failure, Global, output, progress};
use crate::clock::Clock;
use crate::config::{self, Config, Sources};
use crate::doctor::{self, Check, Report, State};
use crate::telemetry;

/// Check everything that a sync or a login needs, and say how to fix what is wrong
#[derive(Debug, Args)]
#[command(
    after_help = "Checks the configuration, the database, the connection to WeChat, and every account at \
                        WeChat. Changes nothing: applies no migration and forces no new access \
                        token. Exits with 1 if a check fails, with 0 if there are only warnings"
)]
pub(super) struct Doctor {}

impl Doctor {
    pub(super) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let loaded = config::load(&Sources::of_process(global.config.clone()));
        if let Ok(loaded) = &loaded {
            telemetry::init(&loaded.config.log, progress::Writer)?;
        }
        let report = doctor::examine(&loaded, &Clock::system()).await;
        if global.json {
            output::json(&report);
        } else {
            print(&report, loaded.as_ref().ok().map(|loaded| &loaded.config));
        }
        Ok(if report.overall == State::Fail { Exit::Failed } else { Exit::Done })
    }
}

fn print(report: &Report, config: Option<&Config>) {
    let name_width = report.checks.iter().map(|check| check.name.as_str().len()).max().unwrap_or(0);
    for check in &report.checks {
        let Check { name, state, detail, .. } = check;
        let about = match &check.subject {
            Some(subject) => format!("{}: ", with_names(subject, config)),
            None => String::new(),
        };
        output::data(format_args!("{state:7}  {name:name_width$}  {about}{detail}"));
        if let Some(hint) = &check.hint {
            output::data(format_args!("{:7}  {:name_width$}  hint: {hint}", "", ""));
        }
    }
    let count = |state| report.count(state);
    let (run, failed) = (report.checks.len() - count(State::Skipped), count(State::Fail));
    output::message(format_args!("{run} checks: {failed} failed, {} warnings", count(State::Warn)));
}

/// Returns the subject with each AppID replaced by the account's name.
fn with_names(subject: &str, config: Option<&Config>) -> String {
    let Some(config) = config else { return subject.to_owned() };
    let name = |word| match (config.official_account(word), config.mini_program(word)) {
        (Ok(account), _) => account.name.as_str(),
        (_, Ok(program)) => program.name.as_str(),
        _ => word,
    };
    subject.split(' ').map(name).collect::<Vec<_>>().join(" ")
}
