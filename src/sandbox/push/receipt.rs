//! Pushes receipts: events with the outcome of an accepted message.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Event, start_after, url_of};
use crate::sandbox::fault::{Receipt, Timing};
use crate::sandbox::world::World;

/// A receipt that is to be pushed.
#[derive(Debug)]
pub(crate) struct PendingReceipt {
    /// The account's number.
    pub(crate) account: usize,
    pub(crate) event: Event,
    pub(crate) receipt: Receipt,
}

/// Pushes a receipt, if receipts are enabled and the account has a callback with a URL.
///
/// Waits until an early receipt is accepted or has failed. Starts other receipts in the background.
pub(crate) async fn push_receipt(world: &Arc<World>, pending: &PendingReceipt) {
    let account = &world.accounts[pending.account];
    if !world.receipts.load(Ordering::SeqCst) || url_of(account).is_err() {
        return;
    }
    let Receipt { timing, times, .. } = pending.receipt;
    let delay = match timing {
        Timing::Late(delay) => delay,
        Timing::Immediate | Timing::Early => Duration::ZERO,
    };
    let mut tasks = Vec::new();
    for _ in 0..times {
        match start_after(world, account, &pending.event, delay) {
            Ok((_, task)) => tasks.push(task),
            Err(error) => tracing::warn!(error = %error, "the sandbox could not push a receipt"),
        }
    }
    if timing == Timing::Early {
        // The outcomes are recorded in the history, however the tasks ended.
        futures::future::join_all(tasks).await;
    }
}
