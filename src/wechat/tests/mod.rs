//! Tests of the client against misbehaving servers: raw sockets that send exactly the given bytes.

mod answers;
mod leaks;
mod libraries;
mod logins;
mod messages;
mod probes;
mod sends;
mod server;
mod templates;
mod tls;
mod tokens;
mod transport;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use tokio::time::Instant;

use super::{
    AccessToken, Account, BeforeSend, Client, ConcurrencyLimit, Options, RetryPolicy, TokenError,
    TokenSource,
};
use crate::model::AppId;

const APPID: &str = "wx0a00000000000001";

/// A token source that appends `-newer` to its token at each refresh.
struct Tokens {
    current: Mutex<String>,
    refreshes: AtomicU64,
}

impl Tokens {
    fn starting_with(token: &str) -> Arc<Self> {
        Arc::new(Self { current: Mutex::new(token.to_owned()), refreshes: AtomicU64::new(0) })
    }
}

#[async_trait]
impl TokenSource for Tokens {
    async fn token(&self, _: &AppId) -> Result<AccessToken, TokenError> {
        Ok(AccessToken::new(self.current.lock().unwrap().clone()))
    }

    async fn replace(&self, _: &AppId, refused: &AccessToken) -> Result<AccessToken, TokenError> {
        let mut current = self.current.lock().unwrap();
        if *current == refused.expose() {
            self.refreshes.fetch_add(1, Ordering::Relaxed);
            current.push_str("-newer");
        }
        Ok(AccessToken::new(current.clone()))
    }
}

/// A hook that lets every request leave.
struct Anytime;

#[async_trait]
impl BeforeSend for Anytime {
    fn deadline(&self) -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    async fn begin(&self) -> bool {
        true
    }
}

fn options(base_url: &str) -> Options {
    let millisecond = Duration::from_millis(1);
    Options {
        base_url: base_url.to_owned(),
        timeout: Duration::from_millis(500),
        retry: RetryPolicy {
            base: millisecond,
            cap: millisecond,
            minute: 20 * millisecond,
            ..RetryPolicy::default()
        },
        ..Options::default()
    }
}

fn client(base_url: &str) -> Client {
    Client::new(options(base_url)).unwrap()
}

fn account(base_url: &str) -> Account {
    account_of(client(base_url), Tokens::starting_with("token"), ConcurrencyLimit::new(16))
}

fn account_of(client: Client, tokens: Arc<Tokens>, concurrency: ConcurrencyLimit) -> Account {
    client.account(APPID.parse().unwrap(), tokens, concurrency)
}
