//! A key's rate limit applies to all replicas together.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rstest::rstest;
use sea_orm::EntityTrait;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use unionid_bridge::keys::NewKey;
use unionid_bridge::model::Scope;
use unionid_bridge::sandbox::Sandbox;
use unionid_bridge::store::Connection;

use crate::harness::{Backend, Service, TestApp};

/// Far less than callers can send, even on a machine that runs other tests.
const LIMIT: u32 = 20;

/// The time in which processes have exchanged their counts twice.
const SETTLED: Duration = Duration::from_secs(6);

/// The pause of a caller that sends far more requests than the limit allows.
const GREEDY_PAUSE: Duration = Duration::from_millis(5);

/// Replicas and a key with a limit.
struct Replicas {
    app: TestApp,
    services: Vec<Arc<Service>>,
    key: String,
}

impl Replicas {
    async fn two(backend: Backend) -> Option<Self> {
        let world = Sandbox::with_followers(1).await.unwrap();
        let app = TestApp::on(&world, backend).await?;
        let one = Service::start(&app).await;
        let scopes = vec![Scope::Metrics];
        let new = NewKey { scopes, requests_per_second: Some(LIMIT), ..NewKey::default() };
        let key = one.key_of(new).await;
        let other = Service::start(&app.replica(&world).await).await;
        Some(Self { app, services: vec![Arc::new(one), Arc::new(other)], key })
    }

    /// Starts a caller that sends requests to a replica with a pause after each.
    fn caller(&self, replica: usize, pause: Duration) -> Caller {
        let (service, key) = (self.services[replica].clone(), self.key.clone());
        let (allowed, refused) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let counts = [allowed.clone(), refused.clone()];
        let task = tokio::spawn(async move {
            loop {
                let answer = service.get("/metrics").key(&key).send().await;
                assert!([200, 429].contains(&answer.status), "{answer:?}");
                counts[usize::from(answer.status == 429)].fetch_add(1, Ordering::Relaxed);
                sleep(pause).await;
            }
        });
        Caller { allowed, refused, task }
    }

    /// Removes the second replica, which has no callers anymore.
    fn second(&mut self) -> Service {
        Arc::into_inner(self.services.pop().unwrap()).unwrap()
    }

    async fn execute(&self, statement: &str) {
        self.app.app.store.writer().execute_unprepared(statement).await.unwrap();
    }
}

struct Caller {
    allowed: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Caller {
    async fn end(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

/// Measures the rate repeatedly until it is within these bounds, because other tests slow down the machine.
///
/// # Panics
///
/// If it is not within the bounds after 40 s.
async fn wait_for_rate(bounds: RangeInclusive<f64>, callers: &[&Caller], seconds: u32) {
    let deadline = Instant::now() + Duration::from_secs(40);
    loop {
        let rate = rate(callers, seconds).await;
        if bounds.contains(&rate) {
            return;
        }
        assert!(Instant::now() < deadline, "{rate} is not within {bounds:?}");
    }
}

/// Returns the rate of allowed requests of all callers during the next `seconds`, divided by the limit.
async fn rate(callers: &[&Caller], seconds: u32) -> f64 {
    let allowed =
        || -> usize { callers.iter().map(|caller| caller.allowed.load(Ordering::Relaxed)).sum() };
    let (before, began) = (allowed(), Instant::now());
    sleep(Duration::from_secs(seconds.into())).await;
    (allowed() - before) as f64 / began.elapsed().as_secs_f64() / f64::from(LIMIT)
}

#[rstest]
#[tokio::test]
async fn two_replicas_share_a_keys_limit_even_if_they_cannot_exchange_usage(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(replicas) = Replicas::two(backend).await else { return };
    let callers = [0, 1].map(|replica| replicas.caller(replica, GREEDY_PAUSE));
    sleep(SETTLED).await;
    wait_for_rate(0.7..=1.3, &callers.each_ref(), 4).await;
    replicas.execute("ALTER TABLE key_use RENAME TO away").await;
    wait_for_rate(0.7..=1.3, &callers.each_ref(), 7).await;
}

#[rstest]
#[tokio::test]
async fn a_caller_of_one_replica_gets_the_rate_unused_on_the_other(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(replicas) = Replicas::two(backend).await else { return };
    let greedy = replicas.caller(0, GREEDY_PAUSE);
    sleep(SETTLED).await;
    wait_for_rate(0.85..=1.15, &[&greedy], 3).await;
    // A fifth of the limit, sent to the other replica.
    let modest = replicas.caller(1, Duration::from_millis(250));
    sleep(SETTLED).await;
    wait_for_rate(0.7..=0.95, &[&greedy], 3).await;
    assert_eq!(modest.refused.load(Ordering::Relaxed), 0);
}

#[rstest]
#[tokio::test]
async fn the_rate_of_a_stopped_or_dead_replica_becomes_available_to_others(
    #[values(true, false)] dies: bool,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(mut replicas) = Replicas::two(backend).await else { return };
    let [stays, goes] = [0, 1].map(|replica| replicas.caller(replica, GREEDY_PAUSE));
    sleep(SETTLED).await;
    wait_for_rate(0.3..=0.65, &[&stays], 2).await;
    goes.end().await;
    let gone = replicas.second();
    if dies {
        drop(gone);
    } else {
        gone.stop().await;
        let shared = entity::key_use::Entity::find().all(replicas.app.app.store.reader()).await;
        assert_eq!(shared.unwrap().len(), 1);
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let rate = rate(&[&stays], 1).await;
        if rate >= 0.85 {
            break;
        }
        assert!(Instant::now() < deadline, "{rate}");
    }
}
