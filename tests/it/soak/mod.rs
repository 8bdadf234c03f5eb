//! T43, the soak test: replicas on one database, callers, followers who join and leave, and faults drawn from
//! a seed. Afterwards all faults are removed, the cluster recovers, and its state is compared with the truth.
//!
//! ```text
//! cargo test --test it soak                                                   a short one on each database
//! SOAK_SECONDS=600 SOAK_SEED=7 cargo test --test it soak::postgres -- --nocapture    ten minutes on one
//! ```
//!
//! The seed is printed at the beginning, and again after a failure. The same seed draws the same faults and
//! the same behaviour of callers; their interleaving depends on the machine.

#![expect(clippy::print_stdout, reason = "the soak test prints its seed and statistics")]

mod callers;
mod check;
mod cluster;
mod expectations;
mod inject;
mod invariants;
mod plan;
mod population;
mod recovery;
mod replica;
mod rng;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use cluster::Cluster;
use inject::FaultInjector;
use plan::{ScheduledFault, Setup, draw};
use rng::SeededRng;

use crate::harness::Backend;

/// Default of `SOAK_SECONDS`: how long faults are injected.
const SECONDS: u64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    soak(Backend::Sqlite, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    soak(Backend::Postgres, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql() {
    soak(Backend::Mysql, 3).await;
}

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

/// After a failure, prints how to repeat the run and saves the output of the replicas.
struct Replay {
    command: String,
    cluster: Arc<Cluster>,
}

impl Drop for Replay {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let folder = std::env::temp_dir();
        for (number, replica) in self.cluster.replicas.iter().enumerate() {
            let path = folder.join(format!("soak-{}-{number}.log", std::process::id()));
            let _ = std::fs::write(&path, replica.output());
            println!("soak: output of replica {number}: {}", path.display());
        }
        println!("soak: repeat with: {}", self.command);
        self.cluster.abort();
    }
}

async fn soak(backend: Backend, replicas: usize) {
    let time = Duration::from_secs(variable("SOAK_SECONDS").unwrap_or(SECONDS));
    let seed = variable("SOAK_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let name = format!("{backend:?}").to_lowercase();
    let seconds = time.as_secs();
    let command = format!(
        "SOAK_SECONDS={seconds} SOAK_SEED={seed} cargo test --test it soak::{name} -- --nocapture"
    );
    let Some(cluster) = Cluster::start(backend, replicas).await else { return };
    println!("soak: {command}");
    let replay = Replay { command, cluster: cluster.clone() };
    let receipts = spawn_tasks(&cluster, seed);
    inject_all(&cluster, draw(seed, Setup { backend, replicas, time })).await;
    println!("soak: faults {:?}", cluster.ledger.faults.lock().unwrap());
    cluster.heal(receipts).await;
    cluster.check().await;
    println!("soak: answers by caller and status {:?}", cluster.ledger.answers.lock().unwrap());
    drop(replay);
}

/// Starts all tasks, each with its own random numbers. Returns the one that pushes receipts, which runs
/// longest.
fn spawn_tasks(cluster: &Arc<Cluster>, seed: u64) -> JoinHandle<()> {
    let mut rng = SeededRng::new(seed ^ 0x50_4e_4f_50);
    let mut fork = || SeededRng::new(rng.next());
    cluster.spawn(population::drift(cluster.clone(), fork()));
    cluster.spawn(callers::log_in(cluster.clone(), fork()));
    cluster.spawn(callers::look_up(cluster.clone(), fork()));
    cluster.spawn(callers::send(cluster.clone(), fork()));
    cluster.spawn(callers::operate(cluster.clone()));
    cluster.spawn(invariants::watch(cluster.clone()));
    tokio::spawn(population::push_receipts(cluster.clone(), fork()))
}

/// Injects each fault at its time. Returns when the last one is over.
async fn inject_all(cluster: &Arc<Cluster>, plan: Vec<ScheduledFault>) {
    let (injector, began) = (FaultInjector::new(cluster.clone()), Instant::now());
    let mut faults: FuturesUnordered<_> = plan
        .into_iter()
        .map(async |scheduled| {
            tokio::time::sleep_until(began + scheduled.at).await;
            println!("soak: {scheduled}");
            injector.inject(scheduled.fault).await;
        })
        .collect();
    loop {
        tokio::select! {
            over = faults.next() => if over.is_none() { return },
            // Fails early if a task has panicked.
            () = tokio::time::sleep(Duration::from_millis(500)) => {
                cluster.is_idle();
            }
        }
    }
}
