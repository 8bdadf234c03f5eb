//! What processes tell each other of the keys that have a limit, through the database.
//!
//! Not what was let through but what was asked for: from that each comes to the same division by
//! itself, where shares that follow from each other would swing. No request waits for any of it, and
//! while the database is away each goes on with the share that it had.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Keyring;
use super::limit::Limit;
use crate::store::{self, key_uses};

/// How long what a process told is believed: one that is gone asks for nothing any more.
const BELIEVED_MS: i64 = 5_000;

/// How long it stands in the database at the most.
const KEPT_MS: i64 = 60_000;

impl Keyring {
    /// Tells what was asked for here since `told`, and takes the share of each limit that is left by
    /// what the others told.
    pub(super) async fn share_limits(&self, told: &mut Instant) {
        let during = std::mem::replace(told, Instant::now()).elapsed();
        let limits = self.limits();
        if limits.is_empty() {
            return;
        }
        if let Err(error) = store::in_time(self.exchange(&limits, during)).await {
            tracing::debug!(%error, "could not share the limits of API keys");
        }
    }

    async fn exchange(
        &self,
        limits: &[(String, Arc<Limit>)],
        during: Duration,
    ) -> Result<(), store::Error> {
        let (me, mut changed) = (self.holder.as_str(), Vec::new());
        let minutes = during.as_secs_f64() / 60.0;
        let asked: Vec<_> = limits.iter().map(|(_, limit)| limit.take_asked()).collect();
        let told = key_uses::list(self.store.reader(), BELIEVED_MS).await?;
        for ((id, limit), asked) in limits.iter().zip(asked) {
            let of_key = told.iter().filter(|told| told.key_id == *id);
            let (ours, others): (Vec<_>, Vec<_>) = of_key.partition(|told| told.holder == me);
            limit.share_with(others.iter().map(|told| told.per_minute as f64 / 60.0).collect());
            if asked > 0 || ours.iter().any(|told| told.per_minute > 0) {
                changed.push((id.as_str(), (f64::from(asked) / minutes) as i64));
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        key_uses::upsert(self.store.writer(), me, &changed).await?;
        key_uses::delete_older(self.store.writer(), KEPT_MS).await
    }

    /// Leaves everything to the others.
    pub(super) async fn leave_limits(&self) {
        if self.limits().is_empty() {
            return;
        }
        let left = key_uses::delete_of(self.store.writer(), self.holder.as_str());
        if let Err(error) = store::in_time(left).await {
            // What it told is not believed for long.
            tracing::debug!(%error, "could not take back what was told of API keys");
        }
    }
}
