//! Erasure: people are forgotten when they ask for it, and when they left long ago.
//!
//! Who asked is kept out by digests until they act again ([`crate::store::erasures`]); who left long
//! ago is simply no longer kept. Knows nothing of WeChat or of who asks.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::lease::{Holder, Lease};
use crate::model::UnionId;
use crate::store::audit::{self, Action};
use crate::store::erasures::{self, Subject};
use crate::store::{self, AccountId, Error, Store, followers, leases};

/// Followers forgotten by one transaction.
const AT_ONCE: u64 = 1_000;

const DAY: Duration = Duration::from_hours(24);

/// How long a process that died keeps the others from forgetting.
const LEASE_LIFE: Duration = Duration::from_secs(60);

/// Forgets a person everywhere, and notes in the audit trail that `actor` asked for it. Done twice it
/// changes nothing. Returns whether anything was known of the person.
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

/// Forgets who left one of `accounts` more than `days` ago and stayed away, once a day whatever the
/// replicas. Returns how many were forgotten; `None` where it was done within the day, or another
/// process is at it.
pub async fn forget_departed(
    store: &Store,
    holder: &Holder,
    accounts: &[AccountId],
    days: u32,
    stop: &CancellationToken,
) -> Result<Option<u64>, Error> {
    // As a rule it is done already, and a look is cheaper than an attempt.
    if leases::is_held(store.reader(), LEASE).await? {
        return Ok(None);
    }
    let Some(lease) = Lease::try_acquire(store, LEASE, holder, LEASE_LIFE).await? else {
        return Ok(None);
    };
    let before_at = store.now().await? - i64::from(days) * DAY.as_millis() as i64;
    let mut forgotten = 0;
    for account in accounts {
        forgotten += forget_departed_from(store, *account, before_at, stop).await?;
    }
    match stop.is_cancelled() {
        true => lease.release().await,
        false => lease.keep_for(DAY).await?,
    }
    Ok(Some(forgotten))
}

const LEASE: &str = "privacy:departed";

async fn forget_departed_from(
    store: &Store,
    account: AccountId,
    before_at: i64,
    stop: &CancellationToken,
) -> Result<u64, Error> {
    // Past all who follow, and other accounts' rows.
    let whole = store.for_all_rows();
    let (mut forgotten, mut after) = (0, 0);
    while !stop.is_cancelled() {
        let departed =
            followers::list_departed(whole.reader(), account, before_at, after, AT_ONCE).await?;
        let Some(last) = departed.last() else { break };
        after = last.id;
        let transaction = store.begin().await?;
        forgotten +=
            followers::delete_departed(&transaction, account, &departed, before_at).await?;
        transaction.commit().await?;
    }
    Ok(forgotten)
}
