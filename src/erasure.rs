//! Erasure: deletes users on request, and users who unfollowed long ago.
//!
//! After a request, digests keep the user out until they act again ([`crate::store::erasures`]).
//! Users who unfollowed long ago are only deleted. Knows nothing of WeChat or the caller.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::lease::{Holder, Lease};
use crate::model::UnionId;
use crate::store::audit::{self, Action};
use crate::store::erasures::{self, Subject};
use crate::store::{self, AccountId, Error, Store, followers, leases};

/// Followers deleted per transaction.
const DELETE_BATCH: u64 = 1_000;

const DAY: Duration = Duration::from_hours(24);

/// Lease duration. After it, another process may continue the work of a process that died.
const LEASE_TTL: Duration = Duration::from_secs(60);

/// Erases a person in all accounts and records `actor` in the audit trail. Repeating it changes
/// nothing. Returns whether anything was known about the person.
pub async fn erase_person(
    store: &Store,
    unionid: &UnionId,
    actor: &str,
    request_id: Option<&str>,
) -> Result<bool, Error> {
    store::in_time(async {
        let transaction = store.begin().await?;
        let erased = erasures::erase(&transaction, Subject::Unionid(unionid)).await?;
        let (person, action) = (Some(erased.person.as_str()), Action::PersonErased);
        audit::record(&transaction, actor, action, person, request_id).await?;
        transaction.commit().await?;
        Ok(erased.rows > 0)
    })
    .await
}

/// Deletes followers who left one of `accounts` more than `days` days ago and did not come back,
/// once a day over all replicas. Returns the number of deleted followers, or `None` if it was done
/// within the last day or another process is doing it.
pub async fn erase_departed(
    store: &Store,
    holder: &Holder,
    accounts: &[AccountId],
    days: u32,
    stop: &CancellationToken,
) -> Result<Option<u64>, Error> {
    // Usually it is done already, and reading the lease is cheaper than trying to acquire it.
    if leases::is_held(store.reader(), LEASE).await? {
        return Ok(None);
    }
    let Some(lease) = Lease::try_acquire(store, LEASE, holder, LEASE_TTL).await? else {
        return Ok(None);
    };
    let left_before = store.now().await? - i64::from(days) * DAY.as_millis() as i64;
    let mut deleted = 0;
    for account in accounts {
        deleted += delete_departed_from(store, *account, left_before, stop).await?;
    }
    match stop.is_cancelled() {
        true => lease.release().await,
        false => lease.hold_for(DAY).await?,
    }
    Ok(Some(deleted))
}

const LEASE: &str = "privacy:departed";

async fn delete_departed_from(
    store: &Store,
    account: AccountId,
    left_before: i64,
    stop: &CancellationToken,
) -> Result<u64, Error> {
    // The statement also reads followers who did not leave, and rows of other accounts.
    let full_scan = store.for_all_rows();
    let (mut deleted, mut after) = (0, 0);
    while !stop.is_cancelled() {
        let departed =
            followers::list_departed(full_scan.reader(), account, left_before, after, DELETE_BATCH)
                .await?;
        let Some(last) = departed.last() else { break };
        after = last.id;
        let transaction = store.begin().await?;
        deleted +=
            followers::delete_departed(&transaction, account, &departed, left_before).await?;
        transaction.commit().await?;
    }
    Ok(deleted)
}
