//! Shares the limits of keys between processes, through the database.
//!
//! Each process publishes the requests it received, not those it accepted: from the demands all
//! processes compute the same division, while shares derived from other shares would oscillate.
//! Requests never wait for the exchange. While the database is unreachable, each process keeps its
//! last share.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Keyring;
use super::limit::Limit;
use crate::store::{self, key_uses};

/// How long a published demand is used. A process that ended no longer has a demand.
const DEMAND_TTL_MS: i64 = 5_000;

/// How long a published demand is kept in the database.
const RETENTION_MS: i64 = 60_000;

impl Keyring {
    /// Publishes the demand in this process since `published_at`, and updates this process's share of
    /// each limit from the demand in the other processes.
    pub(super) async fn share_limits(&self, published_at: &mut Instant) {
        let period = std::mem::replace(published_at, Instant::now()).elapsed();
        let limits = self.limits();
        if limits.is_empty() {
            return;
        }
        if let Err(error) = store::in_time(self.exchange(&limits, period)).await {
            tracing::debug!(%error, "could not share the limits of API keys");
        }
    }

    async fn exchange(
        &self,
        limits: &[(String, Arc<Limit>)],
        period: Duration,
    ) -> Result<(), store::Error> {
        let (holder, mut changed) = (self.holder.as_str(), Vec::new());
        let minutes = period.as_secs_f64() / 60.0;
        let received: Vec<_> = limits.iter().map(|(_, limit)| limit.take_received()).collect();
        let uses = key_uses::list(self.store.reader(), DEMAND_TTL_MS).await?;
        for ((id, limit), received) in limits.iter().zip(received) {
            let of_key = uses.iter().filter(|row| row.key_id == *id);
            let (own, others): (Vec<_>, Vec<_>) = of_key.partition(|row| row.holder == holder);
            limit.share_with(others.iter().map(|row| row.per_minute as f64 / 60.0).collect());
            if received > 0 || own.iter().any(|row| row.per_minute > 0) {
                changed.push((id.as_str(), (f64::from(received) / minutes) as i64));
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        key_uses::upsert(self.store.writer(), holder, &changed).await?;
        key_uses::delete_older(self.store.writer(), RETENTION_MS).await
    }

    /// Withdraws this process's demand, so that the other processes share the limits at once.
    pub(super) async fn leave_limits(&self) {
        if self.limits().is_empty() {
            return;
        }
        let deleted = key_uses::delete_of(self.store.writer(), self.holder.as_str());
        if let Err(error) = store::in_time(deleted).await {
            // The demand expires soon anyway.
            tracing::debug!(%error, "could not withdraw this process's demand for API keys");
        }
    }
}
