//! The command line. Data goes to stdout, messages go to stderr, and the exit code tells scripts what
//! to do next.
//!
//! One file per command. Each returns an `Exit` or a `Failure`; [`main`] prints the failure once, with
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
mod template_data;
mod templates;
mod token;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use failure::{Exit, Failure};

/// Links the followers of WeChat Official Accounts to the users of Mini Programs
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

/// Options of every command.
#[derive(Debug, Args)]
struct Global {
    /// The configuration file [default: unionid-bridge.toml, if it exists]
    #[arg(long, global = true, value_name = "PATH", env = "UNIONID_BRIDGE_CONFIG")]
    config: Option<PathBuf>,
    /// Print data as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Demonstrate the service; needs no credentials and no database server
    Demo(demo::Demo),
    /// Run the service: the HTTP API, nightly syncs, messages and callbacks
    Serve(serve::Serve),
    /// Sync followers now, of all Official Accounts or of those given
    Sync(sync::Sync),
    /// List past syncs, and confirm or cancel held ones
    Runs(runs::Runs),
    /// Find a user's openid in an Official Account
    Resolve(resolve::Resolve),
    /// Send a message to a user
    Send(send::Send),
    /// List, add and delete an account's message templates
    Templates(templates::Templates),
    /// Show or set an Official Account's industries
    Industry(industry::Industry),
    /// Show or refresh an account's access token
    Token(token::Token),
    /// Check everything that a sync or a login needs, and say how to fix what is wrong
    Doctor(doctor::Doctor),
    /// Ask the `serve` on this machine whether it is healthy, for health checks
    Health(health::Health),
    /// Create, list, revoke and replace API keys
    Keys(keys::Keys),
    /// Apply, list or revert database migrations
    Migrate(migrate::Migrate),
    /// Run a simulated WeChat to develop against
    Sandbox(sandbox::Sandbox),
    /// Check or show the configuration
    Config(config::Config),
    /// Print the API's OpenAPI document
    Openapi,
    /// Print shell completions
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Test builds read failpoints from the variable FAILPOINTS; other builds have none.
    let _failpoints = fail::has_failpoints().then(fail::FailScenario::setup);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::from(error).report(),
    };
    let code = match runtime.block_on(run(cli)) {
        Ok(exit) => exit.code(),
        Err(failure) => failure.report(),
    };
    // DNS lookups cannot be cancelled, and a name server that does not answer must not keep the
    // process alive.
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
