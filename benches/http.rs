//! The cost of the API compared with its minimum possible cost. Prints figures without pass or fail.
//!
//! ```text
//! cargo bench --bench http                      everything
//! cargo bench --bench http -- resolve postgres  a selection of: resolve login stalled sqlite postgres mysql
//! BENCH_FOLLOWERS=100000 BENCH_ROUNDS=5 cargo bench --bench http -- resolve
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
#[path = "http/pgbench.rs"]
mod pgbench;
#[path = "http/service.rs"]
mod service;

use std::time::Duration;

use base::{Base, kinds};
use figures::{median, named, number, rounds};
use load::{Seen, load};
use service::{Bare, Service};
use unionid_bridge::sandbox::{Call, Options};

/// The number of client connections.
const CONNECTIONS: usize = 64;

/// The duration of each load.
const DURATION: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() {
    let named = named();
    let is_named = |name: &str| named.iter().any(|given| given == name);
    let any = ["resolve", "stalled", "login"].into_iter().any(is_named);
    let is_selected = |name: &str| !any || is_named(name);
    for kind in kinds(&named) {
        if is_selected("resolve") {
            resolve(kind).await;
        }
    }
    if is_selected("stalled") {
        stalled().await;
    }
    if is_selected("login") {
        login().await;
    }
}

/// A SQLite database, which needs no server.
async fn file() -> Base {
    Base::new("sqlite").await.unwrap()
}

/// Alternates between lookups, a bare handler that returns the same bytes and, on PostgreSQL, pgbench's
/// read benchmark. Then measures lookups at half of the peak rate.
async fn resolve(kind: &'static str) {
    let people = number("BENCH_FOLLOWERS", 1_000_000);
    let Some(base) = Base::new(kind).await else { return };
    let service = Service::with_users(&base, Options::with_followers(people), people).await;
    let pgbench = pgbench::Reads::on(kind, &base, people);
    let requests = service.resolve_requests(people, 10_000).await;
    let bare = Bare::answering(service.answer_to(&requests[0]).await).await;
    println!("resolve, {CONNECTIONS} connections, {people} users and followers, {kind}");
    let (mut ratios, mut pgbench_ratios, mut peak) = (Vec::new(), Vec::new(), 0.0_f64);
    for round in 1..=rounds() {
        let floor = load(bare.address, requests, CONNECTIONS, DURATION, None).await;
        let ours = load(service.address, requests, CONNECTIONS, DURATION, None).await;
        assert_eq!(ours.refused, 0);
        let ratio = ours.per_second() / floor.per_second();
        println!(
            "  round {round}: bare handler {:.0}/s, resolve {:.0}/s, ratio {ratio:.2}, p99 {:.2} ms",
            floor.per_second(),
            ours.per_second(),
            milliseconds(&ours, 0.99)
        );
        ratios.push(ratio);
        if let Some(reads) = &pgbench {
            let reads = reads.per_second(CONNECTIONS, DURATION);
            let ratio = ours.per_second() / reads;
            println!("    pgbench -S {reads:.0}/s, ratio {ratio:.2}");
            pgbench_ratios.push(ratio);
        }
        peak = peak.max(ours.per_second());
    }
    println!("  median ratio to the bare handler {:.2} (target 0.70)", median(ratios));
    if !pgbench_ratios.is_empty() {
        println!("  median ratio to pgbench -S {:.2} (target 0.70)", median(pgbench_ratios));
    }
    let half = load(service.address, requests, CONNECTIONS, DURATION, Some(peak / 2.0)).await;
    println!(
        "  at half of the peak, {:.0}/s: p50 {:.2} ms, p99 {:.2} ms (target 2)",
        half.per_second(),
        milliseconds(&half, 0.5),
        milliseconds(&half, 0.99)
    );
    base.drop().await;
}

/// Lookups while other clients hold connections on which they send almost nothing.
async fn stalled() {
    let people = number("BENCH_FOLLOWERS", 100_000).min(100_000);
    let clients = number("BENCH_STALLED", 2_000);
    let base = file().await;
    let service = Service::with_users(&base, Options::with_followers(people), people).await;
    let requests = service.resolve_requests(people, 10_000).await;
    let rate = Some(2_000.0);
    let before = load(service.address, requests, CONNECTIONS, DURATION, rate).await;
    let stalled = service.stall(clients / 2, clients - clients / 2).await;
    let during = load(service.address, requests, CONNECTIONS, DURATION, rate).await;
    println!(
        "resolve at 2,000/s with {clients} stalled clients, half in the head, half in the body"
    );
    println!(
        "  without them p99 {:.2} ms, with them p99 {:.2} ms, {} refused",
        milliseconds(&before, 0.99),
        milliseconds(&during, 0.99),
        during.refused
    );
    let (closed, longest) = stalled.closed().await;
    println!(
        "  {closed} stalled clients were closed, the last after {:.1} s",
        longest.as_secs_f64()
    );
}

/// Logins compared with WeChat's own time for the same call.
async fn login() {
    let latency = Duration::from_millis(20);
    let people = 100_000;
    let options = Options::with_followers(people).latency(Call::Jscode2session, latency);
    let base = file().await;
    let service = Service::with_users(&base, options, people / 2).await;
    println!("login, one after another, WeChat answers in {} ms", latency.as_millis());
    let mut added = Vec::new();
    for round in 1..=rounds() {
        let upstream = service.upstream_logins(200).await;
        let ours = service.logins(200).await;
        let (upstream, ours) = (median(upstream), median(ours));
        println!(
            "  round {round}: WeChat alone {upstream:.2} ms, login {ours:.2} ms, adds {:.2} ms",
            ours - upstream
        );
        added.push(ours - upstream);
    }
    println!("  adds {:.2} ms, median (target 1)", median(added));
}

fn milliseconds(seen: &Seen, share: f64) -> f64 {
    seen.percentile(share).as_secs_f64() * 1_000.0
}
