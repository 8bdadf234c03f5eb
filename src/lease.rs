//! Leases: at most one process does a piece of work at a time, and a process that lost its lease cannot
//! write.
//!
//! A lease expires in database time and is renewed by a heartbeat. Its fencing number increases with
//! every holder. Writes carry the number in their condition, so that the database itself refuses a
//! process that was suspended past the end of its lease.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::store::{self, Store, leases};

/// How often a lease is renewed within its lifetime.
const RENEWALS_PER_LIFE: u32 = 4;

/// The identity of this process, which marks its leases and other rows in the database.
#[derive(Debug, Clone)]
pub struct Holder(String);

impl Holder {
    /// Creates an identity that no other process has.
    pub fn new() -> Self {
        Self(uuid::Uuid::new_v4().to_string())
    }

    /// Returns the identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Holder {
    fn default() -> Self {
        Self::new()
    }
}

/// A lease held by this process. If it is dropped without [`Lease::release`], a background task releases
/// it; if the process ends first, the lease expires.
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
    /// Acquires the lease for `life` and keeps renewing it until it is released. Returns `None` if it is
    /// already held.
    pub async fn try_acquire(
        store: &Store,
        name: &str,
        holder: &Holder,
        life: Duration,
    ) -> Result<Option<Self>, store::Error> {
        // Runs in a separate task. If the caller were cancelled between the database's commit and its
        // answer, the lease would be held without a `Lease` to release it.
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
        let heartbeat = keep_renewing(store.clone(), name.clone(), fence, life, lost.clone());
        let heartbeat = AbortOnDropHandle::new(tokio::spawn(heartbeat));
        Ok(Some(Self { store, name, fence, lost, released: false, heartbeat }))
    }

    /// Returns the fencing number, which writes under this lease carry.
    pub fn fence(&self) -> i64 {
        self.fence
    }

    /// Returns a token that fires when the heartbeat finds that another process holds the lease.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Releases the lease, so that another process can acquire it at once. If the database is
    /// unreachable, the lease expires by itself.
    pub async fn release(mut self) {
        release(&self.store, &self.name, self.fence).await;
        self.released = true;
    }

    /// Keeps the lease held for `rest` without a heartbeat, so that no process can acquire it, not even
    /// this one. Meant for work that is due once per `rest`.
    pub async fn hold_for(mut self, rest: Duration) -> Result<(), store::Error> {
        self.heartbeat.abort();
        self.released = true;
        let rest_ms = rest.as_millis() as i64;
        leases::renew(self.store.writer(), &self.name, self.fence, rest_ms).await?;
        Ok(())
    }
}

impl Drop for Lease {
    /// Releases the lease of cancelled work, so that others need not wait for it to expire.
    fn drop(&mut self) {
        if self.released {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (store, name, fence) = (self.store.clone(), self.name.clone(), self.fence);
            runtime.spawn(async move { release(&store, &name, fence).await });
        }
    }
}

async fn release(store: &Store, name: &str, fence: i64) {
    let released = leases::release(store.writer(), name, fence).await;
    if let Err(error) = released {
        tracing::debug!(lease.name = name, %error, "could not release the lease");
    }
}

async fn keep_renewing(
    store: Store,
    name: String,
    fence: i64,
    life: Duration,
    lost: CancellationToken,
) {
    loop {
        tokio::time::sleep(life / RENEWALS_PER_LIFE).await;
        let renewed = leases::renew(store.writer(), &name, fence, life.as_millis() as i64);
        // The timeout leaves time for another attempt if the connection stops responding.
        match store::within(life / RENEWALS_PER_LIFE, renewed).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(lease.name = name, "another process holds the lease now");
                return lost.cancel();
            }
            // The fencing number protects writes meanwhile, and the next iteration tries again.
            Err(error) => tracing::debug!(lease.name = name, %error, "could not renew the lease"),
        }
    }
}
