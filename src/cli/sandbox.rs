//! `sandbox`: runs a simulated WeChat to develop against.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use super::{Exit, Failure, Global, output, signals};
use crate::sandbox::{self, Call, Callback, FaultRule, Options};

/// Run a simulated WeChat to develop against. All data is lost when it ends
#[derive(Debug, Args)]
pub(super) struct Sandbox {
    /// Address to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Number of followers of its Official Account
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    followers: u64,
    /// A fault to inject, as CALL:WHEN:FAULT, such as `user/get:2:disconnect` or
    /// `user/info/batchget:p0.05:errcode=-1`; may be repeated
    #[arg(long, value_name = "RULE")]
    fault: Vec<FaultRule>,
    /// URL to send callbacks to: follows, departures and message receipts. `{appid}` is replaced by
    /// each account's AppID, as in `http://127.0.0.1:8080/v1/callbacks/{appid}`
    #[arg(long, value_name = "URL")]
    callback_url: Option<String>,
    /// Token that signs callbacks: 3 to 32 letters and digits [default: derived from the seed]
    #[arg(long, value_name = "TOKEN", requires = "callback_url")]
    callback_token: Option<String>,
    /// Key that encrypts callbacks: 43 letters and digits [default: derived from the seed]
    #[arg(long, value_name = "KEY", requires = "callback_url")]
    encoding_aes_key: Option<String>,
    /// Latency of every response, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency_ms: u64,
    /// Apply the daily quotas that WeChat gives a new account
    #[arg(long)]
    vendor_quotas: bool,
    /// Serve the retired form_id API of Mini Programs' template messages, as some old gateways do,
    /// instead of WeChat's error that it is retired
    #[arg(long)]
    legacy_templates: bool,
    /// Seed of the generated data; the same seed generates the same people
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Sandbox {
    pub(super) async fn run(self, _global: &Global) -> Result<Exit, Failure> {
        let stop = signals::stop_on_signal()?;
        let sandbox = sandbox::Sandbox::start(self.options()).await?;
        output::message(format_args!("sandbox WeChat listening on {}", sandbox.base_url()));
        output::message("to use it, put this into unionid-bridge.toml:\n");
        output::data(sandbox.config_toml().trim_end());
        output::message(format_args!(
            "\nrequest counts: curl {}/sandbox/stats",
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
        options.legacy_templates = self.legacy_templates;
        options.faults.clone_from(&self.fault);
        if self.vendor_quotas {
            options = options.vendor_quotas();
        }
        if let Some(url) = &self.callback_url {
            options = self.with_callbacks(options, url);
        }
        let latency = Duration::from_millis(self.latency_ms);
        Call::ALL.iter().fold(options, |options, call| options.latency(*call, latency))
    }

    /// Gives every account a callback in safe mode. Values not given are derived from the seed.
    fn with_callbacks(&self, mut options: Options, url: &str) -> Options {
        options.pushes_follows = true;
        options.callbacks(|appid, _| {
            let mut callback = Callback::made(url, self.seed, appid);
            if let Some(token) = &self.callback_token {
                callback.token.clone_from(token);
            }
            if self.encoding_aes_key.is_some() {
                callback.encoding_aes_key.clone_from(&self.encoding_aes_key);
            }
            Some(callback)
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        sandbox: Sandbox,
    }

    fn options(flags: &[&str]) -> Options {
        let line = ["sandbox", "--callback-url", "http://127.0.0.1:8080/{appid}"];
        Line::try_parse_from(line.iter().chain(flags)).unwrap().sandbox.options()
    }

    #[test]
    fn a_callback_url_alone_generates_a_token_and_key_for_each_account() {
        let options = options(&["--seed", "7"]);
        assert!(options.pushes_follows && options.receipts);
        let main = options.official_accounts[0].callback.clone().unwrap();
        let shop = options.mini_programs[0].callback.clone().unwrap();
        assert_ne!((&main.token, &main.encoding_aes_key), (&shop.token, &shop.encoding_aes_key));
        assert_eq!(main, Callback::made(&main.url, 7, sandbox::OFFICIAL_ACCOUNT));
    }

    #[test]
    fn the_retired_api_is_served_only_on_request() {
        assert!(!options(&[]).legacy_templates);
        assert!(options(&["--legacy-templates"]).legacy_templates);
    }

    #[test]
    fn a_callback_token_and_key_can_be_set() {
        let key = "k".repeat(43);
        let given = ["--callback-token", "bridgetoken", "--encoding-aes-key", &key];
        let callback = options(&given).mini_programs[0].callback.clone().unwrap();
        assert_eq!(callback, Callback::safe(&callback.url, "bridgetoken", &key));
        let without_url = ["sandbox", "--callback-token", "bridgetoken"];
        assert!(Line::try_parse_from(without_url).is_err());
    }
}
