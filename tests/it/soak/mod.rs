//! T43, the soak: replicas on one database, callers, people who come and go, and whatever can go wrong
//! drawn from a seed. Then everything heals, and what was promised is compared with what is true.
//!
//! ```text
//! cargo test --test it soak                                                   a short one on each database
//! SOAK_SECONDS=600 SOAK_SEED=7 cargo test --test it soak::postgres -- --nocapture    ten minutes on one
//! ```
//!
//! The seed is told at the beginning, and again where it fails. The same seed draws the same troubles for
//! the same callers; how they meet is up to the machine.

#![expect(clippy::print_stdout, reason = "the soak tells its seed, and what it saw")]

mod callers;
mod check;
mod dice;
mod heal;
mod ledger;
mod life;
mod plan;
mod replica;
mod strike;
mod town;
mod witness;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use dice::Dice;
use plan::{Blow, Place, draw};
use strike::Fate;
use town::Town;

use crate::harness::Backend;

/// How long things go wrong unless `SOAK_SECONDS` says otherwise.
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
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Tells how to do it again, where it fails, and what the replicas said.
struct Replay {
    how: String,
    town: Arc<Town>,
}

impl Drop for Replay {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let folder = std::env::temp_dir();
        for (number, replica) in self.town.replicas.iter().enumerate() {
            let path = folder.join(format!("soak-{}-{number}.log", std::process::id()));
            let _ = std::fs::write(&path, replica.said());
            println!("soak: replica {number} said {}", path.display());
        }
        println!("soak: the same again: {}", self.how);
        self.town.abandon();
    }
}

async fn soak(backend: Backend, replicas: usize) {
    let time = Duration::from_secs(variable("SOAK_SECONDS").unwrap_or(SECONDS));
    let seed = variable("SOAK_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let name = format!("{backend:?}").to_lowercase();
    let seconds = time.as_secs();
    let how = format!(
        "SOAK_SECONDS={seconds} SOAK_SEED={seed} cargo test --test it soak::{name} -- --nocapture"
    );
    let Some(town) = Town::open(backend, replicas).await else { return };
    println!("soak: {how}");
    let replay = Replay { how, town: town.clone() };
    let teller = people(&town, seed);
    fall(&town, draw(seed, Place { backend, replicas, time })).await;
    println!("soak: troubles {:?}", town.ledger.troubles.lock().unwrap());
    town.heal(teller).await;
    town.check().await;
    println!("soak: answers by caller and status {:?}", town.ledger.answers.lock().unwrap());
    drop(replay);
}

/// Everybody begins, each with chances of their own. Who tells of messages goes on longest.
fn people(town: &Arc<Town>, seed: u64) -> JoinHandle<()> {
    let mut dice = Dice::new(seed ^ 0x50_4e_4f_50);
    let mut own = || Dice::new(dice.throw());
    town.send_out(life::drift(town.clone(), own()));
    town.send_out(callers::log_in(town.clone(), own()));
    town.send_out(callers::look_up(town.clone(), own()));
    town.send_out(callers::send(town.clone(), own()));
    town.send_out(callers::operate(town.clone()));
    town.send_out(witness::watch(town.clone()));
    tokio::spawn(life::receipts(town.clone(), own()))
}

/// Each blow at its moment; ends when the last is over.
async fn fall(town: &Arc<Town>, plan: Vec<Blow>) {
    let (fate, began) = (Fate::of(town.clone()), Instant::now());
    let mut blows: FuturesUnordered<_> = plan
        .into_iter()
        .map(async |blow| {
            tokio::time::sleep_until(began + blow.at).await;
            println!("soak: {blow}");
            fate.strike(blow.trouble).await;
        })
        .collect();
    loop {
        tokio::select! {
            over = blows.next() => if over.is_none() { return },
            () = tokio::time::sleep(Duration::from_millis(500)) => {
                town.is_quiet();
            }
        }
    }
}
