//! Receipts: what the vendor tells of a message after it accepted it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Event, start_after, url_of};
use crate::sandbox::fault::{Moment, Receipt};
use crate::sandbox::world::World;

/// What an account is told of a message, and when.
#[derive(Debug)]
pub(crate) struct Report {
    /// The account's number.
    pub(crate) account: usize,
    pub(crate) event: Event,
    pub(crate) receipt: Receipt,
}

/// Has the account told, where receipts are on and it has somewhere to be told.
///
/// An early receipt has been answered or given up when this returns; the others are under way.
pub(crate) async fn report(world: &Arc<World>, report: &Report) {
    let account = &world.accounts[report.account];
    if !world.receipts.load(Ordering::SeqCst) || url_of(account).is_err() {
        return;
    }
    let Receipt { moment, times, .. } = report.receipt;
    let delay = match moment {
        Moment::Late(delay) => delay,
        Moment::AtOnce | Moment::Early => Duration::ZERO,
    };
    let mut tasks = Vec::new();
    for _ in 0..times {
        match start_after(world, account, &report.event, delay) {
            Ok((_, task)) => tasks.push(task),
            Err(error) => tracing::warn!(error = %error, "the sandbox could not push a receipt"),
        }
    }
    if moment == Moment::Early {
        // What became of the pushes is in the book, however their tasks ended.
        futures::future::join_all(tasks).await;
    }
}
