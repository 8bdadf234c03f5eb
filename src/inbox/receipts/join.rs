//! Receipts that were kept find their message.
//!
//! Where a receipt and the answer to its send are committed at the same time, neither sees the other.
//! Where the answer was lost, the message never gets its number: then the person and the hour tell it,
//! if they tell one message alone.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use super::count;
use crate::model::MessageId;
use crate::store::receipts::{self, Matched};
use crate::store::{AccountId, AdaptiveTimeout, Error, Store};

/// How often kept receipts are looked at, as long as a look is quick.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A look takes no more than this part of the time: another system's messages may bring many receipts
/// that are never joined to any.
const PART_OF_TIME: u32 = 20;

/// How often kept receipts are looked at all the same.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(60);

/// For how long a kept receipt is looked at. What comes later is found by whoever sends.
const LOOKED_AT_MS: i64 = 3_600_000;

/// Receipts joined by one transaction.
const JOINED_AT_ONCE: u64 = 1_000;

/// Joins kept receipts to their messages until it is dropped. The first look is at all of them: those
/// of when no process was at work.
pub(in crate::inbox) async fn join_for_ever(store: &Store) -> Infallible {
    let (mut back_ms, mut patience) = (i64::MAX, AdaptiveTimeout::default());
    loop {
        let began = Instant::now();
        match patience.keep(look(store, back_ms)).await {
            Ok(()) => back_ms = LOOKED_AT_MS,
            Err(error) => tracing::warn!(%error, "receipts that came early wait"),
        }
        let pause = (began.elapsed() * PART_OF_TIME).clamp(LOOK_EVERY, LOOK_AT_LEAST_EVERY);
        tokio::time::sleep(pause).await;
    }
}

async fn look(store: &Store, back_ms: i64) -> Result<(), Error> {
    let since = store.now().await?.saturating_sub(back_ms);
    join_all(store, since).await?;
    let lost = receipts::list_lost(store.for_all_rows().reader(), since).await?;
    if lost.is_empty() {
        return Ok(());
    }
    for lost in &lost {
        receipts::number(store.writer(), lost).await?;
    }
    join_all(store, since).await
}

/// Joins those that came since `since` and whose message is known by its number. May look at very many
/// rows: the caller's patience is the limit.
pub(super) async fn join_all(store: &Store, since: i64) -> Result<(), Error> {
    let whole = store.for_all_rows();
    loop {
        let kept = receipts::list_joinable(whole.reader(), since, JOINED_AT_ONCE).await?;
        let is_last = (kept.len() as u64) < JOINED_AT_ONCE;
        if !kept.is_empty() {
            join(store, kept).await?;
        }
        if is_last {
            return Ok(());
        }
    }
}

async fn join(store: &Store, kept: Vec<Matched>) -> Result<(), Error> {
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
