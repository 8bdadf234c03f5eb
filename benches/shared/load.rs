//! Load over real sockets: each connection sends a request, waits for the answer, and repeats.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// The measurements of all callers.
pub struct Seen {
    pub spent: Duration,
    /// The latency of each answer, sorted.
    pub latencies: Vec<Duration>,
    /// The number of answers other than 2xx.
    pub refused: u64,
}

impl Seen {
    /// Collects the latencies and the numbers of refusals of callers that started at `began`.
    pub async fn by(callers: Vec<JoinHandle<(Vec<Duration>, u64)>>, began: Instant) -> Self {
        let mut seen = Self { spent: Duration::ZERO, latencies: Vec::new(), refused: 0 };
        for caller in callers {
            let (latencies, refused) = caller.await.unwrap();
            seen.latencies.extend(latencies);
            seen.refused += refused;
        }
        seen.spent = began.elapsed();
        seen.latencies.sort_unstable();
        seen
    }

    pub fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.spent.as_secs_f64()
    }

    /// Returns the latency that `share` of the answers do not exceed.
    pub fn percentile(&self, share: f64) -> Duration {
        let last = self.latencies.len() - 1;
        self.latencies[((last as f64) * share).round() as usize]
    }
}

/// Sends requests for `duration` on `connections` connections, each starting at a different request.
/// `per_second` limits the total rate; without it, each connection sends without pauses.
pub async fn load(
    address: SocketAddr,
    requests: &'static [Vec<u8>],
    connections: usize,
    duration: Duration,
    per_second: Option<f64>,
) -> Seen {
    let began = Instant::now();
    let pause = per_second.map(|rate| Duration::from_secs_f64(connections as f64 / rate));
    let callers: Vec<_> = (0..connections)
        .map(|number| {
            let offset = number * requests.len() / connections;
            tokio::spawn(call(address, requests, offset, began + duration, pause))
        })
        .collect();
    Seen::by(callers, began).await
}

async fn call(
    address: SocketAddr,
    requests: &[Vec<u8>],
    offset: usize,
    until: Instant,
    pause: Option<Duration>,
) -> (Vec<Duration>, u64) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut latencies, mut refused) = (Vec::new(), 0);
    let mut answer = Vec::with_capacity(4_096);
    let mut due = Instant::now();
    for request in requests.iter().cycle().skip(offset) {
        if Instant::now() >= until {
            break;
        }
        if let Some(pause) = pause {
            due += pause;
            tokio::time::sleep_until(due.into()).await;
        }
        let began = Instant::now();
        let status = exchange(&mut stream, request, &mut answer).await;
        latencies.push(began.elapsed());
        refused += u64::from(!(200..300).contains(&status));
    }
    (latencies, refused)
}

/// Sends a request, reads its answer and returns the status.
pub async fn exchange(stream: &mut TcpStream, request: &[u8], answer: &mut Vec<u8>) -> u16 {
    stream.write_all(request).await.unwrap();
    answer.clear();
    loop {
        let count = stream.read_buf(answer).await.unwrap();
        assert!(count > 0, "the server hung up: {}", String::from_utf8_lossy(answer));
        if let Some(length) = whole_length(answer)
            && answer.len() >= length
        {
            return std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
        }
    }
}

/// Returns the length of the answer once its head is complete.
fn whole_length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&answer[..head]).unwrap().to_ascii_lowercase();
    let length = text.split("content-length: ").nth(1)?.split("\r\n").next()?;
    Some(head + length.parse::<usize>().unwrap())
}
