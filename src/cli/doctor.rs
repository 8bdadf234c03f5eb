//! `doctor`: what is wrong, and what to do about it.

use clap::Args;

use super::{Exit, Failure, Global, output, progress};
use crate::clock::Clock;
use crate::config::{self, Config, Sources};
use crate::doctor::{self, Check, Report, State};
use crate::telemetry;

/// Look for whatever is wrong, and say what to do about it.
#[derive(Debug, Args)]
#[command(
    after_help = "Checks the configuration, the database, the way to WeChat, and what WeChat says of \
                        every account. Applies no migration and forces no access token. Exits 1 \
                        where a check fails; warnings exit 0"
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
    let names = report.checks.iter().map(|check| check.name.as_str().len()).max().unwrap_or(0);
    for check in &report.checks {
        let Check { name, state, detail, .. } = check;
        let about = match &check.subject {
            Some(subject) => format!("{}: ", called(subject, config)),
            None => String::new(),
        };
        output::data(format_args!("{state:7}  {name:names$}  {about}{detail}"));
        if let Some(hint) = &check.hint {
            output::data(format_args!("{:7}  {:names$}  hint: {hint}", "", ""));
        }
    }
    let count = |state| report.count(state);
    let (made, failed) = (report.checks.len() - count(State::Skipped), count(State::Fail));
    output::talk(format_args!("{made} checks: {failed} failed, {} warn", count(State::Warn)));
}

/// The subject, with each AppID in it by the account's name, as people know it.
fn called(subject: &str, config: Option<&Config>) -> String {
    let Some(config) = config else { return subject.to_owned() };
    let name = |word| match (config.official_account(word), config.mini_program(word)) {
        (Ok(account), _) => account.name.as_str(),
        (_, Ok(program)) => program.name.as_str(),
        _ => word,
    };
    subject.split(' ').map(name).collect::<Vec<_>>().join(" ")
}
