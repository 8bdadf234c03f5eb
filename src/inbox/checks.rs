//! Asking WeChat for a person's profile after an event, by whichever process comes first.
//!
//! Right after somebody follows, WeChat may still say that they do not, or leave the unionid out: so
//! it is asked again a minute and an hour later. What a single look-up says of a unionid is believed;
//! a change is recorded.

use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

use super::{CallbackAccount, Inbox};
use crate::model::{Follower, Profile, UnionId};
use crate::store::erasures;
use crate::store::followers::{self, Row};
use crate::store::profile_checks::{self, Check};
use crate::store::quarantine::{self, Conflict};
use crate::store::{self, AccountId, Transaction, accounts};
use crate::wechat::{self, Class};

/// When WeChat is asked again for what it did not tell.
const AGAIN_AFTER_MS: [i64; 2] = [60_000, 3_600_000];

/// When WeChat is asked again where it refuses every call.
const AFTER_REFUSAL: Duration = Duration::from_mins(10);

impl CallbackAccount {
    /// Whether WeChat refused every call of the account a short while ago.
    pub(super) fn is_refused(&self) -> bool {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.is_some_and(|refused: Instant| refused.elapsed() < AFTER_REFUSAL)
    }

    fn note_refusal(&self) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

impl Inbox {
    /// Asks for one profile, unless WeChat has begun to refuse every call; a claim that nothing came of
    /// ends by itself.
    pub(super) async fn check(
        &self,
        account: &CallbackAccount,
        followers: &wechat::Account,
        check: &Check,
    ) -> Result<(), store::Error> {
        if account.is_refused() {
            return Ok(());
        }
        let asked_at = self.store.now().await?;
        match followers.profile(&check.openid).await {
            Ok(profile) => self.record(check, profile, asked_at).await,
            Err(error) => self.put_off(account, check, &error, asked_at).await,
        }
    }

    async fn put_off(
        &self,
        account: &CallbackAccount,
        check: &Check,
        error: &wechat::Error,
        asked_at: i64,
    ) -> Result<(), store::Error> {
        tracing::warn!(
            app.id = %account.appid,
            %error,
            hint = error.hint(),
            "WeChat did not tell a follower's profile"
        );
        let again_at = match error.class() {
            Class::Quota | Class::Config | Class::Token => {
                account.note_refusal();
                return Ok(());
            }
            Class::Transient | Class::RateLimited => return Ok(()),
            // The nightly crawl sets such an openid aside with its reason.
            Class::Person => None,
            _ => later(check, asked_at),
        };
        profile_checks::finish(self.store.writer(), check, again_at).await?;
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
            return transaction.commit().await;
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
    later(check, asked_at)
}

/// When to make the next attempt; `None` after the last.
fn later(check: &Check, asked_at: i64) -> Option<i64> {
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
