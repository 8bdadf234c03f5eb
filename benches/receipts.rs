//! How many receipts a second are committed, none lost, beside the least that they could cost. Prints
//! figures; judges nothing.
//!
//! ```text
//! cargo bench --bench receipts               SQLite, and what TEST_POSTGRES_URL and TEST_MYSQL_URL name
//! cargo bench --bench receipts -- postgres   one of: sqlite postgres mysql
//! BENCH_RECEIPTS=200000 BENCH_ROUNDS=5 cargo bench --bench receipts
//! ```
#![expect(unreachable_pub, reason = "a benchmark has no outside")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has failed")]
#![expect(clippy::print_stdout, reason = "the figures")]

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

/// Connections that WeChat sends over.
const CONNECTIONS: [usize; 2] = [64, 256];

/// For how long the bare handler is asked.
const LASTING: Duration = Duration::from_secs(5);

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
        let floor = load::load(bare.address, requests, connections, LASTING, None).await;
        println!("  {connections} connections: bare handler {:.0}/s", floor.per_second());
        let mut rates = Vec::new();
        for round in 1..=rounds() {
            let requests = service.sent(receipts).await;
            let seen = storm::storm(service.address, requests, connections).await;
            service.assert_none_lost(receipts).await;
            println!("    round {round}: {}", told(&seen));
            rates.push(seen.per_second());
        }
        println!("    median {:.0}/s", median(rates));
        let requests = service.unknown(receipts);
        let seen = storm::storm(service.address, requests, connections).await;
        service.assert_all_kept(receipts).await;
        println!("    of unknown messages, kept: {}", told(&seen));
    }
    base.drop().await;
}

fn told(seen: &Seen) -> String {
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
