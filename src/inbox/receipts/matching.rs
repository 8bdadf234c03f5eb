//! Matches kept receipts to their messages.
//!
//! If a receipt and the answer to its send are committed at the same time, neither transaction sees
//! the other. If the answer was lost, the message never gets WeChat's number: then it is identified
//! by the user and the time, if exactly one message fits.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use super::count;
use crate::model::MessageId;
use crate::store::receipts::{self, Matched};
use crate::store::{AccountId, AdaptiveTimeout, Error, Store};

/// How often kept receipts are matched, as long as matching is fast.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Matching pauses for this multiple of its own duration, because the messages of another system
/// may bring many receipts that never match.
const PAUSE_FACTOR: u32 = 20;

/// The longest pause between runs.
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(60);

/// How long, in ms, a kept receipt is matched here. A message that is recorded later finds its
/// receipt itself.
const MATCH_WINDOW_MS: i64 = 3_600_000;

/// Receipts matched per transaction.
const MATCH_BATCH: u64 = 1_000;

/// Matches kept receipts to their messages, forever. The first run covers all receipts, including
/// those kept while no process was running.
pub(in crate::inbox) async fn match_loop(store: &Store) -> Infallible {
    let (mut window_ms, mut timeout) = (i64::MAX, AdaptiveTimeout::default());
    loop {
        let started = Instant::now();
        match timeout.run(run(store, window_ms)).await {
            Ok(()) => window_ms = MATCH_WINDOW_MS,
            Err(error) => tracing::warn!(%error, "could not match early receipts, trying again"),
        }
        let pause = (started.elapsed() * PAUSE_FACTOR).clamp(POLL_INTERVAL, MAX_POLL_INTERVAL);
        tokio::time::sleep(pause).await;
    }
}

async fn run(store: &Store, window_ms: i64) -> Result<(), Error> {
    let since = store.now().await?.saturating_sub(window_ms);
    match_all(store, since).await?;
    let lost = receipts::list_lost_answers(store.for_all_rows().reader(), since).await?;
    if lost.is_empty() {
        return Ok(());
    }
    for lost in &lost {
        receipts::record_msgid(store.writer(), lost).await?;
    }
    match_all(store, since).await
}

/// Matches receipts that arrived since `since`, in ms, and whose message has WeChat's number. May
/// read very many rows; the caller sets the timeout.
pub(super) async fn match_all(store: &Store, since: i64) -> Result<(), Error> {
    let full_scan = store.for_all_rows();
    loop {
        let kept = receipts::list_matched(full_scan.reader(), since, MATCH_BATCH).await?;
        let is_last = (kept.len() as u64) < MATCH_BATCH;
        if !kept.is_empty() {
            end_messages(store, kept).await?;
        }
        if is_last {
            return Ok(());
        }
    }
}

async fn end_messages(store: &Store, kept: Vec<Matched>) -> Result<(), Error> {
    let mut endings: BTreeMap<(String, i64), Vec<MessageId>> = BTreeMap::new();
    let mut numbers: BTreeMap<AccountId, Vec<i64>> = BTreeMap::new();
    for Matched { account, msgid, status, received_at, message } in kept {
        endings.entry((status, received_at)).or_default().push(message);
        numbers.entry(account).or_default().push(msgid);
    }
    let mut ended = Vec::with_capacity(endings.len());
    let transaction = store.begin().await?;
    for ((status, received_at), messages) in &mut endings {
        messages.sort_unstable();
        let messages = receipts::end(&transaction, messages, status, *received_at).await?;
        ended.push((receipts::ending(status), messages));
    }
    for (account, msgids) in numbers {
        receipts::delete(&transaction, account, &msgids).await?;
    }
    transaction.commit().await?;
    for (state, messages) in ended {
        count(state, messages);
    }
    Ok(())
}
