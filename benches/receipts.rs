//! The rate at which receipts are committed without loss, compared with the minimum possible cost. Prints
//! figures without pass or fail.
//!
//! ```text
//! cargo bench --bench receipts               SQLite, TEST_POSTGRES_URL and TEST_MYSQL_URL
//! cargo bench --bench receipts -- postgres   a selection of: sqlite postgres mysql
//! BENCH_RECEIPTS=200000 BENCH_ROUNDS=5 cargo bench --bench receipts
//! ```
#![expect(unreachable_pub, reason = "nothing uses a benchmark as a library")]
#![expect(clippy::unwrap_used, reason = "a benchmark whose setup fails should panic")]
#![expect(clippy::print_stdout, reason = "prints the figures")]

#[path = "shared/base.rs"]
mod base;
#[path = "shared/figures.rs"]
mod figures;
#[path = "shared/load.rs"]
mod load;
#[path = "receipts/service.rs"]
mod service;
#[path = "receipts/storm.rs"]
mod storm;

use std::time::Duration;

use base::{Base, kinds};
use figures::{median, named, number, rounds};
use load::Seen;
use service::{Bare, Service};

/// The numbers of connections that WeChat uses.
const CONNECTIONS: [usize; 2] = [64, 256];

/// The duration of the load on the bare handler.
const DURATION: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() {
    for kind in kinds(&named()) {
        if let Some(base) = Base::new(kind).await {
            measure(kind, base).await;
        }
    }
}

async fn measure(kind: &str, base: Base) {
    let receipts = number("BENCH_RECEIPTS", 50_000);
    println!("{kind}: {receipts} receipts a round, each encrypted and over HTTP (target 7000/s)");
    let service = Service::on(&base).await;
    let bare = Bare::start().await;
    println!("  bare bulk update of such rows: {:.0}/s", service.bulk_update(receipts).await);
    for connections in CONNECTIONS {
        let requests = service.sent(receipts).await;
        let floor = load::load(bare.address, requests, connections, DURATION, None).await;
        println!("  {connections} connections: bare handler {:.0}/s", floor.per_second());
        let mut rates = Vec::new();
        for round in 1..=rounds() {
            let requests = service.sent(receipts).await;
            let seen = storm::storm(service.address, requests, connections).await;
            service.assert_none_lost(receipts).await;
            println!("    round {round}: {}", figures_of(&seen));
            rates.push(seen.per_second());
        }
        println!("    median {:.0}/s", median(rates));
        let requests = service.unknown(receipts);
        let seen = storm::storm(service.address, requests, connections).await;
        service.assert_all_kept(receipts).await;
        println!("    of unknown messages, kept: {}", figures_of(&seen));
    }
    base.drop().await;
}

fn figures_of(seen: &Seen) -> String {
    let milliseconds = |share| seen.percentile(share).as_secs_f64() * 1_000.0;
    format!(
        "{:.0}/s, p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms, {} refused, none lost",
        seen.per_second(),
        milliseconds(0.5),
        milliseconds(0.99),
        milliseconds(1.0),
        seen.refused
    )
}
