//! The rate at which messages are sent, compared with the minimum time that WeChat's answers take. Prints
//! figures without pass or fail.
//!
//! ```text
//! cargo bench --bench push                  all databases, or a selection of: sqlite postgres mysql
//! BENCH_MESSAGES=20000 BENCH_CONCURRENCY=128 BENCH_ROUNDS=5 cargo bench --bench push
//! BENCH_CHANNEL=subscribe cargo bench --bench push       a Mini Program's messages
//! ```
#![expect(unreachable_pub, reason = "nothing uses a benchmark as a library")]
#![expect(clippy::unwrap_used, reason = "a benchmark whose setup fails should panic")]
#![expect(clippy::print_stdout, reason = "prints the figures")]

#[path = "shared/base.rs"]
mod base;
#[path = "shared/figures.rs"]
mod figures;
#[path = "push/queue.rs"]
mod queue;

use std::time::{Duration, Instant};

use base::{Base, kinds};
use figures::{median, named, number, rounds};
use queue::Queue;

/// WeChat's latency.
const LATENCY: Duration = Duration::from_millis(100);

#[tokio::main]
async fn main() {
    for kind in kinds(&named()) {
        measure(kind).await;
    }
}

async fn measure(kind: &'static str) {
    let (messages, concurrency) =
        (number("BENCH_MESSAGES", 10_000), number("BENCH_CONCURRENCY", 64));
    println!(
        "{messages} messages, {concurrency} in flight, WeChat answers in {} ms, {kind}",
        LATENCY.as_millis()
    );
    let floor = LATENCY.as_secs_f64() * messages.div_ceil(concurrency) as f64;
    let mut ratios = Vec::new();
    for round in 1..=rounds() {
        let Some(base) = Base::new(kind).await else { return };
        let queue = Queue::of(&base, messages, concurrency, LATENCY).await;
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
        drop(queue);
        base.drop().await;
    }
    println!("  median ratio {:.2}", median(ratios));
}
