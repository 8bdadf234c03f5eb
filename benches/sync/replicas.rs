//! Syncs of four accounts by one replica and by two. All replicas run in one process: the benchmark compares
//! the effect of shared resources, which are WeChat's limits and the database.

use std::time::{Duration, Instant};

use futures::future::join_all;
use unionid_bridge::sandbox::{Call, OfficialAccount, Options, Sandbox};

use crate::base::Base;
use crate::bench::{Bench, followers, sandbox};
use crate::figures::{median, rounds};

const ACCOUNTS: usize = 4;

/// Alternates between first syncs of four accounts by one and by two replicas, with WeChat's latency.
pub async fn compare_one_and_two(kind: &'static str) {
    let count = followers(1_000_000) / 10;
    println!("first sync of {ACCOUNTS} accounts of {count} followers, with latency, {kind}");
    let mut ratios = Vec::new();
    for round in 1..=rounds() {
        let Some(one) = seconds(kind, count, 1).await else { return };
        let Some(two) = seconds(kind, count, 2).await else { return };
        println!("  round {round}: one replica {one:.2} s, two {two:.2} s, ratio {:.2}", one / two);
        ratios.push(one / two);
    }
    println!("  median: two replicas are {:.2} times as fast", median(ratios));
}

async fn seconds(kind: &'static str, count: u64, replicas: usize) -> Option<f64> {
    let base = Base::new(kind).await?;
    let world = world(count).await;
    let mut processes = Vec::new();
    for _ in 0..replicas {
        processes.push(Bench::of(&world, &base).await);
    }
    let began = Instant::now();
    let sync = |account: usize| processes[account % replicas].sync_account(account);
    join_all((0..ACCOUNTS).map(sync)).await;
    let spent = began.elapsed().as_secs_f64();
    base.drop().await;
    Some(spent)
}

async fn world(count: u64) -> Sandbox {
    let options = Options::with_followers(count)
        .latency(Call::UserGet, Duration::from_millis(200))
        .latency(Call::UserInfoBatchget, Duration::from_millis(60));
    let account = |number: usize| {
        let (appid, secret) = (format!("wx{number:016x}"), format!("{number:032x}"));
        OfficialAccount::new(&format!("account{number}"), &appid, &secret, count)
    };
    let official_accounts = (1..=ACCOUNTS).map(account).collect();
    sandbox(Options { official_accounts, ..options }).await
}
