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

#[path = "receipts/base.rs"]
mod base;
#[path = "http/load.rs"]
mod load;
#[path = "receipts/service.rs"]
mod service;
#[path = "receipts/storm.rs"]
mod storm;

use std::time::Duration;

use base::Base;
use load::Seen;
use service::{Bare, Service};

/// Connections that WeChat sends over.
const CONNECTIONS: [usize; 2] = [64, 256];

/// For how long the bare handler is asked.
const LASTING: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() {
    let named: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for kind in ["postgres", "mysql", "sqlite"] {
        if !named.is_empty() && !named.iter().any(|word| word == kind) {
            continue;
        }
        match Base::new(kind).await {
            Some(base) => measure(kind, base).await,
            None => println!("{kind}: no URL given, left out"),
        }
    }
}

async fn measure(kind: &str, base: Base) {
    let (receipts, rounds) = (number("BENCH_RECEIPTS", 50_000), number("BENCH_ROUNDS", 3));
    println!("{kind}: {receipts} receipts a round, each encrypted and over HTTP (target 7000/s)");
    let service = Service::on(&base).await;
    let bare = Bare::start().await;
    println!("  bare bulk update of such rows: {:.0}/s", service.bulk_update(receipts).await);
    for connections in CONNECTIONS {
        let requests = service.sent(receipts).await;
        let floor = load::load(bare.address, requests, connections, LASTING, None).await;
        println!("  {connections} connections: bare handler {:.0}/s", floor.per_second());
        for round in 1..=rounds {
            let requests = service.sent(receipts).await;
            let seen = storm::storm(service.address, requests, connections).await;
            service.assert_none_lost(receipts).await;
            println!("    round {round}: {}", told(&seen));
        }
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

/// A number from the environment.
fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}
