//! What a sync costs, beside the least it could cost. Prints figures; judges nothing.
//!
//! ```text
//! cargo bench --bench sync                      all
//! cargo bench --bench sync -- first-sync        one of: first-sync memory latency next-night
//! BENCH_FOLLOWERS=200000 BENCH_ROUNDS=5 cargo bench --bench sync -- first-sync
//! ```
#![expect(unreachable_pub, reason = "a benchmark has no outside")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has failed")]
#![expect(clippy::print_stdout, reason = "the figures")]

#[path = "sync/bench.rs"]
mod bench;
#[path = "sync/memory.rs"]
mod memory;

use std::time::{Duration, Instant};

use bench::{Bench, followers, median, processor_seconds, rounds, sandbox};
use unionid_bridge::sandbox::{Call, Options};
use unionid_bridge::store::followers as rows;

#[tokio::main]
async fn main() {
    let named: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |name: &str| named.is_empty() || named.iter().any(|word| word == name);
    if wanted("first-sync") {
        first_sync().await;
    }
    if wanted("memory") {
        memory::peak_memory().await;
    }
    if wanted("latency") {
        with_latency().await;
    }
    if wanted("next-night") {
        next_night().await;
    }
}

/// The first sync beside the bare bulk upsert of the same rows, in turn.
async fn first_sync() {
    let count = followers(1_000_000);
    println!("first sync of {count} followers, sandbox without latency, SQLite on disk");
    let (mut bare, mut whole) = (Vec::new(), Vec::new());
    for round in 1..=rounds() {
        bare.push(bare_upsert(count).await);
        let world = sandbox(Options::with_followers(count)).await;
        let bench = Bench::against(&world).await;
        let began = Instant::now();
        let run = bench.sync().await;
        whole.push(began.elapsed());
        assert_eq!(run.counts.fetched, count);
        let (bare, whole) = (bare[round - 1].as_secs_f64(), whole[round - 1].as_secs_f64());
        let rate = |seconds: f64| count as f64 / seconds;
        println!(
            "  round {round}: bare upsert {bare:.2} s ({:.0}/s), sync {whole:.2} s ({:.0}/s), ratio {:.2}",
            rate(bare),
            rate(whole),
            whole / bare
        );
    }
    let ratios =
        bare.iter().zip(&whole).map(|(bare, whole)| whole.as_secs_f64() / bare.as_secs_f64());
    println!("  median ratio {:.2} (target 1.30)", median(ratios));
}

/// The same rows, made beforehand, written page by page as the sync writes them.
async fn bare_upsert(count: u64) -> Duration {
    let world = sandbox(Options::with_followers(count)).await;
    let bench = Bench::against(&world).await;
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

/// With answers that take their time: beside the floor that the latencies set.
async fn with_latency() {
    let count = followers(200_000);
    let (list, batch, in_flight) = (Duration::from_millis(200), Duration::from_millis(60), 16);
    let options = Options::with_followers(count)
        .latency(Call::UserGet, list)
        .latency(Call::UserInfoBatchget, batch);
    let world = sandbox(options).await;
    let bench = Bench::against(&world).await;
    let began = Instant::now();
    bench.sync().await;
    let spent = began.elapsed().as_secs_f64();
    let pages = count.div_ceil(10_000) as f64 * list.as_secs_f64();
    let batches = count.div_ceil(100) as f64 * batch.as_secs_f64() / f64::from(in_flight);
    let floor = pages.max(batches);
    println!(
        "first sync of {count} with latency: {spent:.2} s, floor {floor:.2} s, ratio {:.2} (target 1.10)",
        spent / floor
    );
}

/// The night after, one follower in a thousand changed.
async fn next_night() {
    let count = followers(1_000_000);
    let changed = count / 1_000;
    let world = sandbox(Options::with_followers(count)).await;
    let bench = Bench::against(&world).await;
    bench.sync().await;
    for night in 1..=rounds() {
        world.main().leave_any(changed / 2);
        world.main().join(changed - changed / 2);
        let (began, processor) = (Instant::now(), processor_seconds());
        let run = bench.sync().await;
        let calls: u64 = run.calls.values().sum();
        let pages = run.counts.pages;
        println!(
            "night {night} of {count}, {changed} changed: {:.2} s (target 10), {:.2} s of \
             processor, {calls} calls (bound {}), \
             {} rows written (bound {})",
            began.elapsed().as_secs_f64(),
            processor_seconds() - processor,
            pages + changed / 100 + 5,
            run.counts.upserted + run.counts.unfollowed,
            3 * changed + pages
        );
    }
}
