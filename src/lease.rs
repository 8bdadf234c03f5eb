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

/// Who we are, to tell our own leases in the database from others'.
#[derive(Debug, Clone)]
pub struct Holder(String);

impl Holder {
    /// A name that no other process has.
    pub fn new() -> Self {
        Self(uuid::Uuid::new_v4().to_string())
    }
}

impl Default for Holder {
    fn default() -> Self {
        Self::new()
    }
}

/// A lease held by this process; dropped without [`Lease::release`], it ends by itself.
#[derive(Debug)]
pub struct Lease {
    store: Store,
    name: String,
    fence: i64,
    lost: CancellationToken,
    _heartbeat: AbortOnDropHandle<()>,
}

impl Lease {
    /// Takes the lease for `life`, renewed for as long as it is kept. `None` where another holds it.
    pub async fn try_acquire(
        store: &Store,
        name: &str,
        holder: &Holder,
        life: Duration,
    ) -> Result<Option<Self>, store::Error> {
        let life_ms = life.as_millis() as i64;
        let Some(fence) = leases::try_acquire(store, name, &holder.0, life_ms).await? else {
            return Ok(None);
        };
        let lost = CancellationToken::new();
        let heartbeat = beat(store.clone(), name.to_owned(), fence, life, lost.clone());
        Ok(Some(Self {
            store: store.clone(),
            name: name.to_owned(),
            fence,
            lost,
            _heartbeat: AbortOnDropHandle::new(tokio::spawn(heartbeat)),
        }))
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
    pub async fn release(self) {
        let released = leases::release(self.store.writer(), &self.name, self.fence).await;
        if let Err(error) = released {
            tracing::debug!(lease.name = self.name, %error, "could not give the lease up");
        }
    }
}

async fn beat(store: Store, name: String, fence: i64, life: Duration, lost: CancellationToken) {
    loop {
        tokio::time::sleep(life / BEATS_PER_LIFE).await;
        match leases::renew(store.writer(), &name, fence, life.as_millis() as i64).await {
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
