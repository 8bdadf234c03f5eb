//! `config`: what is configured, and what is wrong with it.

use clap::{Args, Subcommand};

use super::{Exit, Failure, Global, output};
use crate::config::{self, Sources};

/// The configuration.
#[derive(Debug, Args)]
pub(super) struct Config {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Report all mistakes at once
    Check,
    /// Print every key with its value and where that comes from; secrets are not shown
    Show,
    /// Print the documented defaults, to begin a configuration file with
    Default,
}

impl Config {
    pub(super) fn run(self, global: &Global) -> Result<Exit, Failure> {
        if matches!(self.command, ConfigCommand::Default) {
            output::data(config::DEFAULTS.trim_end());
            return Ok(Exit::Done);
        }
        let loaded = match config::load(&Sources::of_process(global.config.clone())) {
            Ok(loaded) => loaded,
            Err(error) => {
                if global.json {
                    output::json(&error.mistakes);
                }
                return Err(error.into());
            }
        };
        for warning in &loaded.warnings {
            output::talk(format_args!("warning: {warning}"));
        }
        match (self.command, global.json) {
            (ConfigCommand::Show, true) => output::json(&loaded.settings),
            (ConfigCommand::Show, false) => output::data(loaded.settings.to_table().trim_end()),
            (_, true) => output::json(&loaded.warnings),
            (_, false) => output::talk("the configuration is fine"),
        }
        Ok(Exit::Done)
    }
}
