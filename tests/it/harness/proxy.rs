//! A way to the database's server that a test can cut and restore.

use std::net::SocketAddr;

use tokio::io::{copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// What becomes of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// They reach the server.
    Open,
    /// They end at once: the server was stopped.
    Cut,
    /// Nothing comes any more, nor an end: the server's machine is gone. Connections of that time
    /// and before never hear anything again; new ones reach the machine that took its place.
    Silent,
    /// What is sent reaches the server, and no answer comes back.
    Mute,
}

/// A proxy on a port of its own.
pub struct Proxy {
    pub address: SocketAddr,
    way: watch::Sender<Way>,
    _task: AbortOnDropHandle<()>,
}

impl Proxy {
    /// To that server, open.
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let way = watch::Sender::new(Way::Open);
        let seen = way.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, server, seen.subscribe()));
            }
        });
        Self { address, way, _task: AbortOnDropHandle::new(task) }
    }

    /// Makes the way such, for connections that there are too.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn relay(mut client: TcpStream, server: SocketAddr, mut way: watch::Receiver<Way>) {
    if *way.borrow() == Way::Open {
        let Ok(mut server) = TcpStream::connect(server).await else { return };
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server) => return,
            _ = way.wait_for(|way| *way != Way::Open) => {}
        }
        if *way.borrow() == Way::Mute {
            tokio::select! {
                _ = copy(&mut client, &mut server) => return,
                _ = way.wait_for(|way| *way != Way::Mute) => {}
            }
        }
    }
    if *way.borrow() == Way::Silent {
        std::future::pending::<()>().await;
    }
}
