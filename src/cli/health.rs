//! `health`: whether the `serve` on this machine is well, for who starts and watches processes.
//!
//! An image needs no other program for its health check. Touches neither the database nor WeChat.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clap::Args;

use super::{Exit, Failure, Global, output};
use crate::config::{self, Sources};
use crate::http;

/// How long all may take: health checks are given a few seconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// Say whether the `serve` on this machine is well: for health checks.
#[derive(Debug, Args)]
#[command(
    after_help = "Asks /readyz, which wants the database and its schema: whether requests should go \
                        there. Exits 1 where it is not well, or does not answer within 3 s"
)]
pub(super) struct Health {
    /// Where it listens, instead of http.listen
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Ask /livez: whether the process answers at all
    #[arg(long)]
    live: bool,
}

impl Health {
    pub(super) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let listen = match self.listen {
            Some(listen) => listen,
            None => config::load(&Sources::of_process(global.config.clone()))?.config.http.listen,
        };
        let path = if self.live { "/livez" } else { "/readyz" };
        let asked = http::health(reached(listen), path);
        let health = tokio::time::timeout(PATIENCE, asked).await.map_err(|_| {
            failed(anyhow::anyhow!("{listen} did not answer within {} s", PATIENCE.as_secs()))
        })??;
        if !health.is_well {
            return Err(failed(anyhow::anyhow!("not well: {}", health.said)));
        }
        output::data(health.said);
        Ok(Exit::Done)
    }
}

fn failed(error: anyhow::Error) -> Failure {
    Failure::new(Exit::Failed, error, None)
}

/// Who listens on every address of this machine is reached by its own.
fn reached(listen: SocketAddr) -> SocketAddr {
    let here: IpAddr = match listen {
        SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let address = if listen.ip().is_unspecified() { here } else { listen.ip() };
    SocketAddr::new(address, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_on_this_machine() {
        for (listen, asked) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("10.0.0.5:80", "10.0.0.5:80"),
        ] {
            assert_eq!(reached(listen.parse().unwrap()).to_string(), asked);
        }
    }
}
