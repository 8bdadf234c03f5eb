//! What many receipts change, in one transaction.

use std::collections::{BTreeMap, HashSet};

use super::{ReceiptBatch, count};
use crate::inbox::effect::is_too_old;
use crate::model::{MessageId, OpenId};
use crate::store::receipts::{self, Receipt};
use crate::store::{AccountId, Error, Store, Transaction, accounts, erasures};

/// The first receipt of each number, by account.
type Firsts = BTreeMap<AccountId, BTreeMap<i64, Receipt>>;

/// Messages by the status that ends them. Sorted, as their rows are locked in this order.
type Endings = BTreeMap<String, Vec<MessageId>>;

/// Records the receipts of many pushes: those whose message is known end it, the others are kept. Returns
/// when they were kept, if any were.
pub(super) async fn record(
    store: &Store,
    batches: Vec<ReceiptBatch>,
) -> Result<Option<i64>, Error> {
    let received_at = store.now().await?;
    let (endings, unknown) = look_up(store, firsts(batches, received_at)).await?;
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
    receipts::keep(&transaction, &unknown, received_at).await?;
    transaction.commit().await?;
    for (state, messages) in ended {
        count(state, messages);
    }
    Ok((!unknown.is_empty()).then_some(received_at))
}

fn firsts(batches: Vec<ReceiptBatch>, received_at: i64) -> Firsts {
    let mut firsts = Firsts::new();
    for ReceiptBatch { appid, created_at, receipts } in batches {
        if is_too_old(&appid, created_at, received_at) {
            continue;
        }
        for receipt in receipts {
            firsts.entry(receipt.account).or_default().entry(receipt.msgid).or_insert(receipt);
        }
    }
    firsts
}

/// What the receipts end, and those whose message is not known. A number that is committed just now is
/// missed; the receipt is joined to it afterwards.
async fn look_up(store: &Store, mut firsts: Firsts) -> Result<(Endings, Firsts), Error> {
    let mut endings = Endings::new();
    for (account, receipts) in &mut firsts {
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
    firsts.retain(|_, receipts| !receipts.is_empty());
    endings.values_mut().for_each(|messages| messages.sort_unstable());
    Ok((endings, firsts))
}

/// Those that may be kept: nothing is written of who was erased and has not acted since. Keeps erasures
/// waiting until the transaction ends.
async fn without_erased(transaction: &Transaction, unknown: Firsts) -> Result<Vec<Receipt>, Error> {
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
