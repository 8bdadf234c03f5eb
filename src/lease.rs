//! Leases: one process at a time does a thing, and one that has lost its turn cannot write.
//!
//! A lease lives on the database's clock and is renewed by a heartbeat. Its fencing number rises
//! with every holder; writes carry it in their condition, so that a process that slept through its
//! lease is refused by the database and not by its own good manners.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::store::{self, Store, leases};

/// How often a lease is renewed within its life.
const BEATS_PER_LIFE: u32 = 4;

/// Who we are, to tell what is ours in the database from what is others'.
#[derive(Debug, Clone)]
pub struct Holder(String);

impl Holder {
    /// A name that no other process has.
    pub fn new() -> Self {
        Self(uuid::Uuid::new_v4().to_string())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Holder {
    fn default() -> Self {
        Self::new()
    }
}

/// A lease held by this process. Dropped without [`Lease::release`], it is given up soon after; where
/// the process ends first, it ends by itself.
#[derive(Debug)]
pub struct Lease {
    store: Store,
    name: String,
    fence: i64,
    lost: CancellationToken,
    released: bool,
    heartbeat: AbortOnDropHandle<()>,
}

impl Lease {
    /// Takes the lease for `life`, renewed for as long as it is kept. `None` where another holds it.
    pub async fn try_acquire(
        store: &Store,
        name: &str,
        holder: &Holder,
        life: Duration,
    ) -> Result<Option<Self>, store::Error> {
        // In a task of its own: were it given up between the database's commit and our hearing of
        // it, nobody would know that the lease is to be given up too.
        let acquired =
            tokio::spawn(Self::acquire(store.clone(), name.to_owned(), holder.clone(), life)).await;
        match acquired {
            Ok(lease) => lease,
            Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
            Err(_) => Ok(None),
        }
    }

    async fn acquire(
        store: Store,
        name: String,
        holder: Holder,
        life: Duration,
    ) -> Result<Option<Self>, store::Error> {
        let life_ms = life.as_millis() as i64;
        let Some(fence) = leases::try_acquire(&store, &name, &holder.0, life_ms).await? else {
            return Ok(None);
        };
        let lost = CancellationToken::new();
        let heartbeat = beat(store.clone(), name.clone(), fence, life, lost.clone());
        let heartbeat = AbortOnDropHandle::new(tokio::spawn(heartbeat));
        Ok(Some(Self { store, name, fence, lost, released: false, heartbeat }))
    }

    /// The number that writes under this lease carry.
    pub fn fence(&self) -> i64 {
        self.fence
    }

    /// Fires when the heartbeat finds that another holds the lease.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Gives the lease up, so that another process can go on at once. Where the database is away
    /// it ends by itself.
    pub async fn release(mut self) {
        give_up(&self.store, &self.name, self.fence).await;
        self.released = true;
    }

    /// Keeps everybody from the lease for so long, this process too, with no heartbeat: for work that
    /// is due that often.
    pub async fn keep_for(mut self, rest: Duration) -> Result<(), store::Error> {
        self.heartbeat.abort();
        self.released = true;
        let rest_ms = rest.as_millis() as i64;
        leases::renew(self.store.writer(), &self.name, self.fence, rest_ms).await?;
        Ok(())
    }
}

impl Drop for Lease {
    /// Work that is given up halfway, because its caller went away, must not keep the others
    /// waiting until the lease ends by itself.
    fn drop(&mut self) {
        if self.released {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (store, name, fence) = (self.store.clone(), self.name.clone(), self.fence);
            runtime.spawn(async move { give_up(&store, &name, fence).await });
        }
    }
}

async fn give_up(store: &Store, name: &str, fence: i64) {
    let released = leases::release(store.writer(), name, fence).await;
    if let Err(error) = released {
        tracing::debug!(lease.name = name, %error, "could not give the lease up");
    }
}

async fn beat(store: Store, name: String, fence: i64, life: Duration, lost: CancellationToken) {
    loop {
        tokio::time::sleep(life / BEATS_PER_LIFE).await;
        let renewed = leases::renew(store.writer(), &name, fence, life.as_millis() as i64);
        // There is time for another try where the connection fell silent.
        match store::within(life / BEATS_PER_LIFE, renewed).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(lease.name = name, "another process holds the lease now");
                return lost.cancel();
            }
            // The fencing number guards what is written; the next beat tries again.
            Err(error) => tracing::debug!(lease.name = name, %error, "could not renew the lease"),
        }
    }
}
