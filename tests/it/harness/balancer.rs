//! A TCP load balancer in front of several replicas.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Client;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use super::service::{Call, unpooled_client};

/// Request timeout of callers.
const TIMEOUT: Duration = Duration::from_secs(6);

/// Forwards each connection to the next replica that accepts it, round robin.
pub struct Balancer {
    pub address: SocketAddr,
    replicas: Arc<Mutex<Vec<Option<SocketAddr>>>>,
    client: Client,
    _task: AbortOnDropHandle<()>,
}

impl Balancer {
    /// Creates a balancer for `replicas` replicas, none of which has an address yet.
    pub async fn of(replicas: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let replicas = Arc::new(Mutex::new(vec![None; replicas]));
        let current = replicas.clone();
        let task = tokio::spawn(async move {
            for turn in 0.. {
                let Ok((client, _)) = listener.accept().await else { return };
                let mut order: Vec<Option<SocketAddr>> = current.lock().unwrap().clone();
                let count = order.len();
                order.rotate_left(turn % count);
                tokio::spawn(relay(client, order));
            }
        });
        let (client, task) = (unpooled_client(TIMEOUT), AbortOnDropHandle::new(task));
        Self { address, replicas, client, _task: task }
    }

    /// Sets the address of a replica.
    pub fn set(&self, replica: usize, address: SocketAddr) {
        self.replicas.lock().unwrap()[replica] = Some(address);
    }

    /// Builds a request to the next replica.
    pub fn call(&self, method: &str, path: &str) -> Call {
        Call::at(&self.client, self.address, method, path)
    }
}

/// Skips replicas that refuse the connection. A replica that accepts and never answers is not detected.
async fn relay(mut client: TcpStream, order: Vec<Option<SocketAddr>>) {
    for address in order.into_iter().flatten() {
        if let Ok(mut replica) = TcpStream::connect(address).await {
            let _ = copy_bidirectional(&mut client, &mut replica).await;
            return;
        }
    }
}
