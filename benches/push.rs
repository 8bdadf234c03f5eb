//! How fast messages leave, beside the least time that WeChat's answers take. Prints figures; judges
//! nothing.
//!
//! ```text
//! cargo bench --bench push
//! BENCH_MESSAGES=20000 BENCH_CONCURRENCY=128 BENCH_ROUNDS=5 cargo bench --bench push
//! ```
#![expect(unreachable_pub, reason = "a benchmark has no outside")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has failed")]
#![expect(clippy::print_stdout, reason = "the figures")]

#[path = "push/queue.rs"]
mod queue;

use std::time::{Duration, Instant};

use queue::{Queue, number};

/// How long WeChat takes to answer.
const LATENCY: Duration = Duration::from_millis(100);

#[tokio::main]
async fn main() {
    let (messages, concurrency) =
        (number("BENCH_MESSAGES", 10_000), number("BENCH_CONCURRENCY", 64));
    println!(
        "{messages} messages, {concurrency} in flight, WeChat answers in {} ms, SQLite on disk",
        LATENCY.as_millis()
    );
    let floor = LATENCY.as_secs_f64() * messages.div_ceil(concurrency) as f64;
    let mut ratios = Vec::new();
    for round in 1..=number("BENCH_ROUNDS", 3) {
        let queue = Queue::of(messages, concurrency, LATENCY).await;
        let began = Instant::now();
        queue.accept().await;
        let accepted = began.elapsed().as_secs_f64();
        let began = Instant::now();
        queue.send_all().await;
        let sent = began.elapsed().as_secs_f64();
        let ratio = sent / floor;
        println!(
            "  round {round}: accepted {:.0}/s; sent {:.0}/s, floor {:.0}/s, ratio {ratio:.2}",
            messages as f64 / accepted,
            messages as f64 / sent,
            messages as f64 / floor,
        );
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    println!("  median ratio {:.2}", ratios[ratios.len() / 2]);
}
