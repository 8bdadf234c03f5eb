//! `health`: asks the `serve` on this machine whether it is healthy, for supervisors and containers.
//!
//! With it, a container image needs no other program for its health check. It connects neither to the
//! database nor to WeChat itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clap::Args;

use super::{Exit, Failure, Global, output};
use crate::config::{self, Sources};
use crate::http;

/// Deadline for the whole check; supervisors usually allow a few seconds.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Ask the `serve` on this machine whether it is healthy, for health checks
#[derive(Debug, Args)]
#[command(
    after_help = "Requests /readyz, which checks the database and its schema: whether the process should \
                        get requests. Exits with 1 if it is unhealthy or does not answer within \
                        3 s"
)]
pub(super) struct Health {
    /// Address that `serve` listens on, instead of http.listen
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Request /livez instead: whether the process answers at all
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
        let request = http::health(local_address(listen), path);
        let health = tokio::time::timeout(TIMEOUT, request).await.map_err(|_| {
            failed(anyhow::anyhow!("{listen} did not answer within {} s", TIMEOUT.as_secs()))
        })??;
        if !health.is_healthy {
            return Err(failed(anyhow::anyhow!("unhealthy: {}", health.message)));
        }
        output::data(health.message);
        Ok(Exit::Done)
    }
}

fn failed(error: anyhow::Error) -> Failure {
    Failure::new(Exit::Failed, error, None)
}

/// Returns the address to connect to: loopback if the server listens on every address.
fn local_address(listen: SocketAddr) -> SocketAddr {
    let loopback: IpAddr = match listen {
        SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let address = if listen.ip().is_unspecified() { loopback } else { listen.ip() };
    SocketAddr::new(address, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_listening_on_all_addresses_is_checked_on_loopback() {
        for (listen, expected) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("10.0.0.5:80", "10.0.0.5:80"),
        ] {
            assert_eq!(local_address(listen.parse().unwrap()).to_string(), expected);
        }
    }
}
