//! One address for several replicas, as a load balancer in front of them gives.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Client;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use super::service::{Call, fleeting_client};

/// How long a caller waits for an answer.
const PATIENCE: Duration = Duration::from_secs(6);

/// Hands each connection to the next replica that takes it.
pub struct Balancer {
    pub address: SocketAddr,
    replicas: Arc<Mutex<Vec<Option<SocketAddr>>>>,
    client: Client,
    _task: AbortOnDropHandle<()>,
}

impl Balancer {
    /// For so many replicas, none of which is there yet.
    pub async fn of(replicas: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let replicas = Arc::new(Mutex::new(vec![None; replicas]));
        let known = replicas.clone();
        let task = tokio::spawn(async move {
            for turn in 0.. {
                let Ok((client, _)) = listener.accept().await else { return };
                let mut order: Vec<Option<SocketAddr>> = known.lock().unwrap().clone();
                let places = order.len();
                order.rotate_left(turn % places);
                tokio::spawn(relay(client, order));
            }
        });
        let (client, task) = (fleeting_client(PATIENCE), AbortOnDropHandle::new(task));
        Self { address, replicas, client, _task: task }
    }

    /// Where a replica listens from now on.
    pub fn set(&self, replica: usize, address: SocketAddr) {
        self.replicas.lock().unwrap()[replica] = Some(address);
    }

    /// A request to whichever replica is next.
    pub fn call(&self, method: &str, path: &str) -> Call {
        Call::at(&self.client, self.address, method, path)
    }
}

/// Who takes no connection is passed over; who takes it and says nothing is not noticed.
async fn relay(mut client: TcpStream, order: Vec<Option<SocketAddr>>) {
    for address in order.into_iter().flatten() {
        if let Ok(mut replica) = TcpStream::connect(address).await {
            let _ = copy_bidirectional(&mut client, &mut replica).await;
            return;
        }
    }
}
