//! A key's limit is one for all replicas together, wherever its caller's connections go.

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

/// Far less than callers manage on a machine that has other tests to run.
const LIMIT: u32 = 20;

/// By then processes have told each other twice.
const SETTLED: Duration = Duration::from_secs(6);

/// A caller who asks far more often than the limit allows.
const ALL_THE_TIME: Duration = Duration::from_millis(5);

/// Replicas, and a key with a limit that all of them know.
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

    /// Somebody who asks this replica after each such pause.
    fn caller(&self, replica: usize, pause: Duration) -> Caller {
        let (service, key) = (self.services[replica].clone(), self.key.clone());
        let (let_through, refused) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let counts = [let_through.clone(), refused.clone()];
        let task = tokio::spawn(async move {
            loop {
                let answer = service.get("/metrics").key(&key).send().await;
                assert!([200, 429].contains(&answer.status), "{answer:?}");
                counts[usize::from(answer.status == 429)].fetch_add(1, Ordering::Relaxed);
                sleep(pause).await;
            }
        });
        Caller { let_through, refused, task }
    }

    /// Takes the second replica out, whom nobody calls any more.
    fn second(&mut self) -> Service {
        Arc::into_inner(self.services.pop().unwrap()).unwrap()
    }

    async fn execute(&self, statement: &str) {
        self.app.app.store.writer().execute_unprepared(statement).await.unwrap();
    }
}

struct Caller {
    let_through: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Caller {
    async fn end(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

/// Measures again until the rate is within these bounds, for a machine that has other tests to run.
///
/// # Panics
///
/// If it is not within 40 s.
async fn comes_within(bounds: RangeInclusive<f64>, callers: &[&Caller], seconds: u32) {
    let deadline = Instant::now() + Duration::from_secs(40);
    loop {
        let rate = rate(callers, seconds).await;
        if bounds.contains(&rate) {
            return;
        }
        assert!(Instant::now() < deadline, "{rate} is not within {bounds:?}");
    }
}

/// Requests a second let through to all of them, in so many seconds from now, in parts of the limit.
async fn rate(callers: &[&Caller], seconds: u32) -> f64 {
    let let_through = || -> usize {
        callers.iter().map(|caller| caller.let_through.load(Ordering::Relaxed)).sum()
    };
    let (before, began) = (let_through(), Instant::now());
    sleep(Duration::from_secs(seconds.into())).await;
    (let_through() - before) as f64 / began.elapsed().as_secs_f64() / f64::from(LIMIT)
}

#[rstest]
#[tokio::test]
async fn two_replicas_together_let_the_limit_through_also_when_they_cannot_tell_each_other(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(replicas) = Replicas::two(backend).await else { return };
    let callers = [0, 1].map(|replica| replicas.caller(replica, ALL_THE_TIME));
    sleep(SETTLED).await;
    comes_within(0.7..=1.3, &callers.each_ref(), 4).await;
    replicas.execute("ALTER TABLE key_use RENAME TO away").await;
    comes_within(0.7..=1.3, &callers.each_ref(), 7).await;
}

#[rstest]
#[tokio::test]
async fn a_caller_of_one_replica_has_what_the_others_callers_leave(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(replicas) = Replicas::two(backend).await else { return };
    let greedy = replicas.caller(0, ALL_THE_TIME);
    sleep(SETTLED).await;
    comes_within(0.85..=1.15, &[&greedy], 3).await;
    // A fifth of the limit, at the other replica.
    let modest = replicas.caller(1, Duration::from_millis(250));
    sleep(SETTLED).await;
    comes_within(0.7..=0.95, &[&greedy], 3).await;
    assert_eq!(modest.refused.load(Ordering::Relaxed), 0);
}

#[rstest]
#[tokio::test]
async fn what_a_replica_that_is_gone_let_through_falls_to_the_others(
    #[values(true, false)] dies: bool,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(mut replicas) = Replicas::two(backend).await else { return };
    let [stays, goes] = [0, 1].map(|replica| replicas.caller(replica, ALL_THE_TIME));
    sleep(SETTLED).await;
    comes_within(0.3..=0.65, &[&stays], 2).await;
    goes.end().await;
    let gone = replicas.second();
    if dies {
        drop(gone);
    } else {
        gone.stop().await;
        let told = entity::key_use::Entity::find().all(replicas.app.app.store.reader()).await;
        assert_eq!(told.unwrap().len(), 1);
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
