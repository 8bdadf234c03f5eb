//! The cost of a sync compared with its minimum possible cost. Prints figures without pass or fail.
//!
//! ```text
//! cargo bench --bench sync                      everything
//! cargo bench --bench sync -- memory sqlite     a selection of: first-sync memory latency next-night
//!                                               replicas sqlite postgres mysql
//! BENCH_FOLLOWERS=200000 BENCH_ROUNDS=5 cargo bench --bench sync -- first-sync
//! ```
#![expect(unreachable_pub, reason = "nothing uses a benchmark as a library")]
#![expect(clippy::unwrap_used, reason = "a benchmark whose setup fails should panic")]
#![expect(clippy::print_stdout, reason = "prints the figures")]

#[path = "shared/base.rs"]
mod base;
#[path = "sync/bench.rs"]
mod bench;
#[path = "shared/figures.rs"]
mod figures;
#[path = "sync/memory.rs"]
mod memory;
#[path = "sync/replicas.rs"]
mod replicas;

use std::time::{Duration, Instant};

use base::{Base, kinds};
use bench::{Bench, followers, processor_seconds, sandbox};
use figures::{median, named, rounds};
use unionid_bridge::sandbox::{Call, Options};
use unionid_bridge::store::followers as rows;

/// The benchmarks that can be selected.
const WORK: [&str; 5] = ["first-sync", "memory", "latency", "next-night", "replicas"];

#[tokio::main]
async fn main() {
    let named = named();
    let is_named = |name: &str| named.iter().any(|given| given == name);
    let any = WORK.into_iter().any(is_named);
    let is_selected = |name: &str| !any || is_named(name);
    for kind in kinds(&named) {
        if is_selected("first-sync") {
            first_sync(kind).await;
        }
        if is_selected("memory") {
            memory::peak_memory(kind).await;
        }
        if is_selected("latency") {
            with_latency(kind).await;
        }
        if is_selected("next-night") {
            next_night(kind).await;
        }
        // A SQLite file is for one process.
        if is_selected("replicas") && kind != "sqlite" {
            replicas::compare_one_and_two(kind).await;
        }
    }
}

/// Alternates between a first sync and a bare bulk upsert of the same rows.
async fn first_sync(kind: &'static str) {
    let count = followers(1_000_000);
    println!("first sync of {count} followers, sandbox without latency, {kind}");
    let mut ratios = Vec::new();
    for round in 1..=rounds() {
        let Some(base) = Base::new(kind).await else { return };
        let bare = bare_upsert(count, &base).await.as_secs_f64();
        base.drop().await;
        let Some(base) = Base::new(kind).await else { return };
        let world = sandbox(Options::with_followers(count)).await;
        let bench = Bench::of(&world, &base).await;
        let began = Instant::now();
        let run = bench.sync().await;
        let whole = began.elapsed().as_secs_f64();
        assert_eq!(run.counts.fetched, count);
        let rate = |seconds: f64| count as f64 / seconds;
        println!(
            "  round {round}: bare upsert {bare:.2} s ({:.0}/s), sync {whole:.2} s ({:.0}/s), ratio {:.2}",
            rate(bare),
            rate(whole),
            whole / bare
        );
        ratios.push(whole / bare);
        base.drop().await;
    }
    println!("  median ratio {:.2} (target 1.30)", median(ratios));
}

/// Writes the same prepared rows page by page, as the sync does. Returns the time.
async fn bare_upsert(count: u64, base: &Base) -> Duration {
    let world = sandbox(Options::with_followers(count)).await;
    let bench = Bench::of(&world, base).await;
    let store = &bench.app.store;
    let account = bench.account_number().await;
    let official_account = world.main();
    let mut people = bench::rows(&official_account);
    let mut spent = Duration::ZERO;
    let began = Instant::now();
    rows::defer_unionid_index(store).await.unwrap();
    spent += began.elapsed();
    loop {
        let mut page: Vec<_> = people.by_ref().take(10_000).collect();
        if page.is_empty() {
            break;
        }
        page.sort_unstable_by(|a, b| a.profile.openid.cmp(&b.profile.openid));
        let began = Instant::now();
        let transaction = store.begin().await.unwrap();
        rows::upsert(&transaction, account, &page, 1_700_000_000_000).await.unwrap();
        transaction.commit().await.unwrap();
        spent += began.elapsed();
    }
    let began = Instant::now();
    rows::ensure_unionid_index(store).await.unwrap();
    spent + began.elapsed()
}

/// A first sync with WeChat's latency, compared with the minimum time that the latency allows.
async fn with_latency(kind: &'static str) {
    let Some(base) = Base::new(kind).await else { return };
    let count = followers(200_000);
    let (list, batch, in_flight) = (Duration::from_millis(200), Duration::from_millis(60), 16);
    let options = Options::with_followers(count)
        .latency(Call::UserGet, list)
        .latency(Call::UserInfoBatchget, batch);
    let world = sandbox(options).await;
    let bench = Bench::of(&world, &base).await;
    let began = Instant::now();
    bench.sync().await;
    let spent = began.elapsed().as_secs_f64();
    let pages = count.div_ceil(10_000) as f64 * list.as_secs_f64();
    let batches = count.div_ceil(100) as f64 * batch.as_secs_f64() / f64::from(in_flight);
    let floor = pages.max(batches);
    println!(
        "first sync of {count} with latency, {kind}: {spent:.2} s, floor {floor:.2} s, ratio {:.2} (target 1.10)",
        spent / floor
    );
    base.drop().await;
}

/// Later nightly runs, in which one follower in a thousand changed.
async fn next_night(kind: &'static str) {
    let Some(base) = Base::new(kind).await else { return };
    let count = followers(1_000_000);
    let changed = count / 1_000;
    let world = sandbox(Options::with_followers(count)).await;
    let bench = Bench::of(&world, &base).await;
    bench.sync().await;
    for night in 1..=rounds() {
        world.main().leave_any(changed / 2);
        world.main().join(changed - changed / 2);
        let (began, processor) = (Instant::now(), processor_seconds());
        let run = bench.sync().await;
        let calls: u64 = run.calls.values().sum();
        let pages = run.counts.pages;
        println!(
            "night {night} of {count}, {changed} changed, {kind}: {:.2} s (target 10), {:.2} s of \
             processor, {calls} calls (bound {}), \
             {} rows written (bound {})",
            began.elapsed().as_secs_f64(),
            processor_seconds() - processor,
            pages + changed / 100 + 5,
            run.counts.upserted + run.counts.unfollowed,
            3 * changed + pages
        );
    }
    base.drop().await;
}
