//! Records the receipts of many callbacks in one transaction.

use std::collections::{BTreeMap, HashSet};

use super::{ReceiptBatch, count};
use crate::inbox::effect::is_too_old;
use crate::model::{MessageId, OpenId};
use crate::store::receipts::{self, Receipt};
use crate::store::{AccountId, Error, Store, Transaction, accounts, erasures};

/// The first receipt of each message number, by account.
type FirstReceipts = BTreeMap<AccountId, BTreeMap<i64, Receipt>>;

/// Messages by the status that ends them, sorted because their rows are locked in this order.
type Endings = BTreeMap<String, Vec<MessageId>>;

/// Records the receipts of many callbacks. Receipts of known messages end the message; the others
/// are kept. Returns when they were kept, in ms, if any were.
pub(super) async fn record(
    store: &Store,
    batches: Vec<ReceiptBatch>,
) -> Result<Option<i64>, Error> {
    let received_at = store.now().await?;
    let (endings, unknown) = find_messages(store, first_receipts(batches, received_at)).await?;
    if endings.is_empty() && unknown.is_empty() {
        return Ok(None);
    }
    let transaction = store.begin().await?;
    let unknown = without_erased(&transaction, unknown).await?;
    let mut ended = Vec::with_capacity(endings.len());
    for (status, messages) in &endings {
        let messages = receipts::end(&transaction, messages, status, received_at).await?;
        ended.push((receipts::ending(status), messages));
    }
    receipts::insert_unmatched(&transaction, &unknown, received_at).await?;
    transaction.commit().await?;
    for (state, messages) in ended {
        count(state, messages);
    }
    Ok((!unknown.is_empty()).then_some(received_at))
}

fn first_receipts(batches: Vec<ReceiptBatch>, received_at: i64) -> FirstReceipts {
    let mut found = FirstReceipts::new();
    for ReceiptBatch { appid, created_at, receipts } in batches {
        if is_too_old(&appid, created_at, received_at) {
            continue;
        }
        for receipt in receipts {
            found.entry(receipt.account).or_default().entry(receipt.msgid).or_insert(receipt);
        }
    }
    found
}

/// Returns the messages that the receipts end, and the receipts whose message is unknown. A message
/// number committed at this moment is missed; its receipt is matched later.
async fn find_messages(
    store: &Store,
    mut first_receipts: FirstReceipts,
) -> Result<(Endings, FirstReceipts), Error> {
    let mut endings = Endings::new();
    for (account, receipts) in &mut first_receipts {
        let numbers: Vec<i64> = receipts.keys().copied().collect();
        let mut known = HashSet::with_capacity(numbers.len());
        for message in receipts::list_messages(store.reader(), *account, &numbers).await? {
            known.insert(message.msgid);
            if let Some(receipt) = receipts.get(&message.msgid).filter(|_| !message.is_final) {
                endings.entry(receipt.status.clone()).or_default().push(message.id);
            }
        }
        receipts.retain(|msgid, _| !known.contains(msgid));
    }
    first_receipts.retain(|_, receipts| !receipts.is_empty());
    endings.values_mut().for_each(|messages| messages.sort_unstable());
    Ok((endings, first_receipts))
}

/// Returns the receipts that may be kept, without those of erased users who have not acted since:
/// nothing may be written about them. Blocks erasures until the transaction ends.
async fn without_erased(
    transaction: &Transaction,
    unknown: FirstReceipts,
) -> Result<Vec<Receipt>, Error> {
    let mut kept = Vec::new();
    for account in unknown.keys() {
        accounts::share(transaction, *account).await?;
    }
    for (account, receipts) in unknown {
        let openids: Vec<&OpenId> = receipts.values().map(|receipt| &receipt.openid).collect();
        let erased = erasures::list_erased(transaction, account, &openids).await?;
        kept.extend(receipts.into_values().filter(|receipt| !erased.contains(&receipt.openid)));
    }
    Ok(kept)
}
