//! `config`: validates and prints the configuration.

use clap::{Args, Subcommand};

use super::{Exit, Failure, Global, output};
use crate::config::{self, Sources};

/// Check or show the configuration
#[derive(Debug, Args)]
pub(super) struct Config {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check the configuration and report all mistakes at once
    Check,
    /// Print every key with its value and origin; secrets are redacted
    Show,
    /// Print the default configuration with its documentation, as a start for your own file
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
            output::message(format_args!("warning: {warning}"));
        }
        match (self.command, global.json) {
            (ConfigCommand::Show, true) => output::json(&loaded.settings),
            (ConfigCommand::Show, false) => output::data(loaded.settings.to_table().trim_end()),
            (_, true) => output::json(&loaded.warnings),
            (_, false) => output::message("the configuration is fine"),
        }
        Ok(Exit::Done)
    }
}
