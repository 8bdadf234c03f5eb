//! `sandbox`: a WeChat to develop against.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use super::{Exit, Failure, Global, output, signals};
use crate::sandbox::{self, Call, Callback, FaultRule, Options};

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
    /// Where to push events: `http://HOST:PORT/PATH`, in which `{appid}` stands for each account's
    /// AppID, such as `http://127.0.0.1:8080/v1/callbacks/{appid}`; who joins and leaves is pushed,
    /// too, and what became of messages
    #[arg(long, value_name = "URL")]
    callback_url: Option<String>,
    /// What signs the pushes: 3 to 32 letters and digits [default: made from the seed]
    #[arg(long, value_name = "TOKEN", requires = "callback_url")]
    callback_token: Option<String>,
    /// What encrypts the pushes: 43 letters and digits [default: made from the seed]
    #[arg(long, value_name = "KEY", requires = "callback_url")]
    encoding_aes_key: Option<String>,
    /// Milliseconds that every answer takes
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency_ms: u64,
    /// Limit calls a day as WeChat does for a new account
    #[arg(long)]
    vendor_quotas: bool,
    /// Serve the form_id API of Mini Programs' template messages, as an old gateway does, in place of
    /// WeChat's answer that it is retired
    #[arg(long)]
    legacy_templates: bool,
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

    /// Every account gets a callback in safe mode; what is not given the seed decides.
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
    fn a_callback_url_alone_makes_a_token_and_a_key_for_every_account() {
        let options = options(&["--seed", "7"]);
        assert!(options.pushes_follows && options.receipts);
        let main = options.official_accounts[0].callback.clone().unwrap();
        let shop = options.mini_programs[0].callback.clone().unwrap();
        assert_ne!((&main.token, &main.encoding_aes_key), (&shop.token, &shop.encoding_aes_key));
        assert_eq!(main, Callback::made(&main.url, 7, sandbox::OFFICIAL_ACCOUNT));
    }

    #[test]
    fn the_retired_api_is_served_only_where_it_is_asked_for() {
        assert!(!options(&[]).legacy_templates);
        assert!(options(&["--legacy-templates"]).legacy_templates);
    }

    #[test]
    fn a_token_and_a_key_can_be_given() {
        let key = "k".repeat(43);
        let given = ["--callback-token", "bridgetoken", "--encoding-aes-key", &key];
        let callback = options(&given).mini_programs[0].callback.clone().unwrap();
        assert_eq!(callback, Callback::safe(&callback.url, "bridgetoken", &key));
        let without_url = ["sandbox", "--callback-token", "bridgetoken"];
        assert!(Line::try_parse_from(without_url).is_err());
    }
}
