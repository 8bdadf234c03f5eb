//! A TCP proxy to the database server that a test can interrupt and restore.

use std::net::SocketAddr;

use tokio::io::{copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// How the proxy treats connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyMode {
    /// Forwards them to the server.
    Forward,
    /// Closes them at once, as if the server was stopped.
    Close,
    /// Transfers nothing and closes nothing, as if the server's machine lost power. Connections from
    /// before or during this mode stay dead; later ones work, as if another machine took over.
    Blackhole,
    /// Forwards requests to the server and drops its answers.
    DropAnswers,
}

/// A proxy on its own port.
pub struct Proxy {
    pub address: SocketAddr,
    mode: watch::Sender<ProxyMode>,
    _task: AbortOnDropHandle<()>,
}

impl Proxy {
    /// Starts a proxy to a server, in mode [`ProxyMode::Forward`].
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mode = watch::Sender::new(ProxyMode::Forward);
        let current = mode.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, server, current.subscribe()));
            }
        });
        Self { address, mode, _task: AbortOnDropHandle::new(task) }
    }

    /// Sets the mode, also for open connections.
    pub fn set(&self, mode: ProxyMode) {
        self.mode.send_replace(mode);
    }
}

async fn relay(mut client: TcpStream, server: SocketAddr, mut mode: watch::Receiver<ProxyMode>) {
    if *mode.borrow() == ProxyMode::Forward {
        let Ok(mut server) = TcpStream::connect(server).await else { return };
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server) => return,
            _ = mode.wait_for(|mode| *mode != ProxyMode::Forward) => {}
        }
        if *mode.borrow() == ProxyMode::DropAnswers {
            tokio::select! {
                _ = copy(&mut client, &mut server) => return,
                _ = mode.wait_for(|mode| *mode != ProxyMode::DropAnswers) => {}
            }
        }
    }
    if *mode.borrow() == ProxyMode::Blackhole {
        std::future::pending::<()>().await;
    }
}
