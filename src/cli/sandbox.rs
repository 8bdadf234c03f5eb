//! `sandbox`: a WeChat to develop against.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use super::{Exit, Failure, Global, output, signals};
use crate::sandbox::{self, Call, FaultRule, Options};

/// A WeChat to develop against. Listens on loopback and forgets everything when it ends.
#[derive(Debug, Args)]
pub(super) struct Sandbox {
    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Followers of its Official Account
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    followers: u64,
    /// Something that goes wrong: CALL:WHEN:FAULT, such as `user/get:2:disconnect` or
    /// `user/info/batchget:p0.05:errcode=-1`; may be given more than once
    #[arg(long, value_name = "RULE")]
    fault: Vec<FaultRule>,
    /// Milliseconds that every answer takes
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency_ms: u64,
    /// Limit calls a day as WeChat does for a new account
    #[arg(long)]
    vendor_quotas: bool,
    /// Equal seeds make equal people
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Sandbox {
    pub(super) async fn run(self, _global: &Global) -> Result<Exit, Failure> {
        let stop = signals::stop_on_signal()?;
        let sandbox = sandbox::Sandbox::start(self.options()).await?;
        output::talk(format_args!("a sandbox WeChat answers at {}", sandbox.base_url()));
        output::talk("to point unionid-bridge at it, put this into unionid-bridge.toml:\n");
        output::data(sandbox.config_toml().trim_end());
        output::talk(format_args!(
            "\nwhat it was asked: curl {}/sandbox/stats",
            sandbox.base_url()
        ));
        stop.cancelled().await;
        sandbox.stop().await;
        Ok(Exit::Done)
    }

    fn options(&self) -> Options {
        let mut options = Options::with_followers(self.followers);
        options.listen = self.listen;
        options.seed = self.seed;
        options.faults.clone_from(&self.fault);
        if self.vendor_quotas {
            options = options.vendor_quotas();
        }
        let latency = Duration::from_millis(self.latency_ms);
        Call::ALL.iter().fold(options, |options, call| options.latency(*call, latency))
    }
}
