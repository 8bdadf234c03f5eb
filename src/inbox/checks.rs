//! Asking WeChat for a person's profile after an event, by whichever process comes first.
//!
//! Right after somebody follows, WeChat may still say that they do not, or leave the unionid out: so
//! it is asked again a minute and an hour later. What a single look-up says of a unionid is believed;
//! a change is recorded.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::{Inbox, Mailbox};
use crate::model::{Follower, Profile, UnionId};
use crate::store::erasures;
use crate::store::followers::{self, Row};
use crate::store::profile_checks::{self, Check};
use crate::store::quarantine::{self, Conflict};
use crate::store::{self, AccountId, Transaction, accounts, callbacks};
use crate::wechat::{self, Class};

/// How often the queue is looked at without being told to: other processes get events too.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often old fingerprints are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(3_600);

/// For how long fingerprints are kept: longer than an event may be old and have an effect.
const REMEMBERED_MS: i64 = 72 * 3_600 * 1_000;

/// Fingerprints forgotten by one statement.
const FORGOTTEN_AT_ONCE: u64 = 5_000;

/// Checks claimed at a time.
const CLAIMED_AT_ONCE: u64 = 100;

/// Checks of one account under way at once; the account's gate bounds the calls.
const CONCURRENCY: usize = 8;

/// For how long a claim holds; a process that dies leaves its checks to others after that.
const HOLD_MS: i64 = 60_000;

/// When WeChat is asked again for what it did not tell.
const AGAIN_AFTER_MS: [i64; 2] = [60_000, 3_600_000];

/// When WeChat is asked again where it refuses every call.
const AFTER_REFUSAL_MS: i64 = 600_000;

impl Inbox {
    /// Works on the queue until `stop` fires.
    pub async fn work(self: Arc<Self>, stop: CancellationToken) {
        let mut forget = tokio::time::interval(FORGET_EVERY);
        loop {
            tokio::select! {
                // What is claimed and not done is left to the next process.
                () = stop.cancelled() => return,
                () = self.check_everywhere() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.wanted.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
                _ = forget.tick() => {
                    if let Err(error) = self.forget().await {
                        tracing::warn!(%error, "old callbacks are kept a while longer");
                    }
                }
            }
        }
    }

    async fn check_everywhere(&self) {
        for mailbox in self.mailboxes.values() {
            if let Err(error) = self.check_all(mailbox).await {
                tracing::warn!(app.id = %mailbox.appid, %error, "profile checks wait");
            }
        }
    }

    async fn forget(&self) -> Result<(), store::Error> {
        let before = self.store.now().await? - REMEMBERED_MS;
        let writer = self.store.writer();
        while callbacks::forget_before(writer, before, FORGOTTEN_AT_ONCE).await? > 0 {}
        Ok(())
    }

    /// Works on what is due for one account.
    async fn check_all(&self, mailbox: &Mailbox) -> Result<(), store::Error> {
        let Some(followers) = &mailbox.followers else { return Ok(()) };
        let account = mailbox.number(&self.store).await?;
        loop {
            let now = self.store.now().await?;
            let checks =
                profile_checks::claim_due(&self.store, account, now, HOLD_MS, CLAIMED_AT_ONCE)
                    .await?;
            if checks.is_empty() {
                return Ok(());
            }
            stream::iter(checks)
                .for_each_concurrent(CONCURRENCY, |check| async move {
                    if let Err(error) = self.check(followers, &check).await {
                        tracing::warn!(app.id = %mailbox.appid, %error, "a profile check waits");
                    }
                })
                .await;
        }
    }

    async fn check(&self, followers: &wechat::Account, check: &Check) -> Result<(), store::Error> {
        let asked_at = self.store.now().await?;
        match followers.profile(&check.openid).await {
            Ok(profile) => self.record(check, profile, asked_at).await,
            Err(error) => self.put_off(check, &error).await,
        }
    }

    async fn put_off(&self, check: &Check, error: &wechat::Error) -> Result<(), store::Error> {
        let class = error.class();
        tracing::warn!(%error, hint = error.hint(), "WeChat did not tell a follower's profile");
        match class {
            // The nightly crawl sets such an openid aside with its reason.
            Class::Person => _ = profile_checks::finish(self.store.writer(), check, None).await?,
            Class::Quota | Class::Config | Class::Token => {
                let due_at = check.due_at + AFTER_REFUSAL_MS;
                profile_checks::postpone(self.store.writer(), check, due_at).await?;
            }
            // The claim ends by itself.
            _ => {}
        }
        Ok(())
    }

    async fn record(
        &self,
        check: &Check,
        profile: Profile,
        asked_at: i64,
    ) -> Result<(), store::Error> {
        let account = check.account;
        let transaction = self.store.begin().await?;
        accounts::share(&transaction, account).await?;
        let openids = std::slice::from_ref(&check.openid);
        let stored = followers::list_by_openids(&transaction, account, openids).await?.pop();
        let again_at = again_at(check, &profile, stored.as_ref(), asked_at);
        // The unionid may be of somebody who was erased and has not acted since.
        let told = [(&check.openid, profile.unionid.as_ref())];
        if !erasures::withhold(&transaction, account, &told).await?.is_empty() {
            profile_checks::finish(&transaction, check, None).await?;
            return Ok(transaction.commit().await?);
        }
        // Who is said not to follow right after an event is asked for again first.
        if profile.subscribed || again_at.is_none() {
            note_unionid(&transaction, account, &profile, stored.as_ref(), asked_at).await?;
            let is_known = stored.is_some_and(|stored| stored.unionid.is_some());
            // WeChat gives none of who does not follow.
            let may_be_absent = profile.subscribed && !is_known && again_at.is_none();
            let unionid_absent = may_be_absent && profile.unionid.is_none();
            let row = Row { profile, unionid_absent };
            followers::upsert(&transaction, account, &[row], asked_at).await?;
        }
        // Last, since an event too writes the follower before the check. Where a newer one wants the
        // profile asked for anew, nothing of this one is kept.
        if profile_checks::finish(&transaction, check, again_at).await? {
            transaction.commit().await?;
        }
        Ok(())
    }
}

/// When to ask again, if the answer is not what the event made us expect.
fn again_at(
    check: &Check,
    profile: &Profile,
    stored: Option<&Follower>,
    asked_at: i64,
) -> Option<i64> {
    let expected = stored.is_none_or(|stored| stored.subscribed);
    let known = stored.is_some_and(|stored| stored.unionid.is_some());
    let complete = profile.unionid.is_some() || known || !expected;
    if profile.subscribed == expected && complete {
        return None;
    }
    let after = AGAIN_AFTER_MS.get(usize::try_from(check.attempt).unwrap_or_default())?;
    Some(asked_at + after)
}

/// Records a changed unionid, and has others asked for who are stored with this one: two people of
/// one account cannot share it.
async fn note_unionid(
    transaction: &Transaction,
    account: AccountId,
    profile: &Profile,
    stored: Option<&Follower>,
    asked_at: i64,
) -> Result<(), store::Error> {
    let Some(new) = &profile.unionid else { return Ok(()) };
    let old: Option<&UnionId> = stored.and_then(|stored| stored.unionid.as_ref());
    if old == Some(new) {
        return Ok(());
    }
    if let Some(old) = old {
        let (openid, old, new) = (profile.openid.clone(), old.clone(), new.clone());
        let conflict = Conflict { openid, old, new };
        quarantine::record_conflicts(transaction, account, 0, &[conflict], asked_at).await?;
    }
    profile_checks::schedule_sharers(transaction, account, &profile.openid, new, asked_at).await
}
