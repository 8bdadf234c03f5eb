//! The command line: stdout is data, stderr is talk, and the exit code says what to do next.
//!
//! One file a command. Each returns an `Exit` or a `Failure`, which is printed once, here, with
//! its causes and a hint.

mod config;
mod context;
mod demo;
mod doctor;
mod failure;
mod health;
mod industry;
mod keys;
mod migrate;
mod openapi;
mod output;
mod progress;
mod resolve;
mod runs;
mod sandbox;
mod send;
mod serve;
mod signals;
mod sync;
mod templates;
mod texts;
mod token;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use failure::{Exit, Failure};

/// Knows that an Official Account follower and a Mini Program user are one person.
#[derive(Debug, Parser)]
#[command(name = "unionid-bridge", version, about, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 75 paused and will resume, \
                        78 configuration")]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
struct Global {
    /// The configuration file [default: unionid-bridge.toml, if there is one]
    #[arg(long, global = true, value_name = "PATH", env = "UNIONID_BRIDGE_CONFIG")]
    config: Option<PathBuf>,
    /// Print data as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the main job at work: no credentials and no database server needed
    Demo(demo::Demo),
    /// Run the schedule and the HTTP API
    Serve(serve::Serve),
    /// Sync followers now: all Official Accounts, or those named
    Sync(sync::Sync),
    /// Look at the history of syncs, and decide on held ones
    Runs(runs::Runs),
    /// Find a user's openid in an Official Account
    Resolve(resolve::Resolve),
    /// Send a message to a person
    Send(send::Send),
    /// Look at an account's message templates, add and delete them
    Templates(templates::Templates),
    /// Look at an Official Account's lines of business, and set them
    Industry(industry::Industry),
    /// Show or refresh an account's access token
    Token(token::Token),
    /// Look for whatever is wrong, and say what to do about it
    Doctor(doctor::Doctor),
    /// Say whether the `serve` on this machine is well: for health checks
    Health(health::Health),
    /// Make, list, end and replace the API's keys
    Keys(keys::Keys),
    /// Bring the database's schema up to date, or look at it
    Migrate(migrate::Migrate),
    /// Run a WeChat to develop against
    Sandbox(sandbox::Sandbox),
    /// Check or show the configuration
    Config(config::Config),
    /// Print the OpenAPI document of the API
    Openapi,
    /// Print the completions of a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Test builds read the places to stop at from FAILPOINTS; in others this is nothing.
    let _failpoints = fail::has_failpoints().then(fail::FailScenario::setup);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::from(error).report(),
    };
    let code = match runtime.block_on(run(cli)) {
        Ok(exit) => exit.code(),
        Err(failure) => failure.report(),
    };
    // A name server that does not answer must not keep the process: look-ups cannot be called off.
    runtime.shutdown_background();
    code
}

async fn run(cli: Cli) -> Result<Exit, Failure> {
    let global = cli.global;
    match cli.command {
        Command::Demo(demo) => demo.run().await,
        Command::Serve(serve) => serve.run(&global).await,
        Command::Sync(sync) => sync.run(&global).await,
        Command::Runs(runs) => runs.run(&global).await,
        Command::Resolve(resolve) => resolve.run(&global).await,
        Command::Send(send) => send.run(&global).await,
        Command::Templates(templates) => templates.run(&global).await,
        Command::Industry(industry) => industry.run(&global).await,
        Command::Token(token) => token.run(&global).await,
        Command::Doctor(doctor) => doctor.run(&global).await,
        Command::Health(health) => health.run(&global).await,
        Command::Keys(keys) => keys.run(&global).await,
        Command::Migrate(migrate) => migrate.run(&global).await,
        Command::Sandbox(sandbox) => sandbox.run(&global).await,
        Command::Config(config) => config.run(&global),
        Command::Openapi => Ok(openapi::run()),
        Command::Completions { shell } => {
            let name = env!("CARGO_PKG_NAME");
            clap_complete::generate(shell, &mut Cli::command(), name, &mut std::io::stdout());
            Ok(Exit::Done)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
