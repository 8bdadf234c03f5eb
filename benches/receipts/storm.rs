//! Sends each request once, over connections that wait for each answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::load::{Seen, exchange};

/// Sends every request. Refused ones are repeated, up to three attempts in total, as WeChat does.
pub async fn storm(address: SocketAddr, requests: &'static [Vec<u8>], connections: usize) -> Seen {
    let (began, next) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> =
        (0..connections).map(|_| tokio::spawn(call(address, requests, next.clone()))).collect();
    Seen::by(callers, began).await
}

async fn call(
    address: SocketAddr,
    requests: &[Vec<u8>],
    next: Arc<AtomicUsize>,
) -> (Vec<Duration>, u64) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut latencies, mut refused, mut answer) = (Vec::new(), 0, Vec::with_capacity(1_024));
    while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
        let began = Instant::now();
        for _ in 0..3 {
            if exchange(&mut stream, request, &mut answer).await == 200 {
                break;
            }
            refused += 1;
        }
        latencies.push(began.elapsed());
    }
    (latencies, refused)
}
