//! Profile checks: after an event, one process fetches the user's profile from WeChat.
//!
//! Right after a user follows, WeChat may still report that they do not, or omit the unionid. So
//! the profile is fetched again after a minute and after an hour. The unionid of a single lookup
//! is trusted, and a change is recorded.

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

/// Delays, in ms, before a check is repeated because the answer was incomplete.
const RETRY_DELAYS_MS: [i64; 2] = [60_000, 3_600_000];

/// How long checks of an account pause after WeChat refused a call for a reason that applies to all
/// calls.
const REFUSAL_PAUSE: Duration = Duration::from_mins(10);

impl CallbackAccount {
    /// Whether WeChat recently refused a call for a reason that applies to all calls of the
    /// account.
    pub(super) fn is_refused(&self) -> bool {
        let refused_at = self.refused_at.lock().unwrap_or_else(PoisonError::into_inner);
        refused_at.is_some_and(|refused_at: Instant| refused_at.elapsed() < REFUSAL_PAUSE)
    }

    fn record_refusal(&self) {
        *self.refused_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

impl Inbox {
    /// Fetches one profile, unless WeChat has begun to refuse every call. Then the claim of the
    /// check simply ends.
    pub(super) async fn check(
        &self,
        account: &CallbackAccount,
        followers: &wechat::Account,
        check: &Check,
    ) -> Result<(), store::Error> {
        if account.is_refused() {
            return Ok(());
        }
        let requested_at = self.store.now().await?;
        match followers.profile(&check.openid).await {
            Ok(profile) if profile.openid != check.openid => {
                tracing::warn!(app.id = %account.appid, "WeChat returned another follower's profile");
                let retry_at = next_attempt_at(check, requested_at);
                profile_checks::finish(self.store.writer(), check, retry_at).await.map(drop)
            }
            Ok(profile) => self.record(check, profile, requested_at).await,
            Err(error) => self.retry_later(account, check, &error, requested_at).await,
        }
    }

    async fn retry_later(
        &self,
        account: &CallbackAccount,
        check: &Check,
        error: &wechat::Error,
        requested_at: i64,
    ) -> Result<(), store::Error> {
        tracing::warn!(
            app.id = %account.appid,
            %error,
            hint = error.hint(),
            "could not fetch a follower's profile from WeChat"
        );
        let retry_at = match error.class() {
            Class::Quota | Class::Config | Class::Token => {
                account.record_refusal();
                return Ok(());
            }
            Class::Transient | Class::RateLimited => return Ok(()),
            // The nightly sync quarantines the openid, with the reason.
            Class::Person => None,
            _ => next_attempt_at(check, requested_at),
        };
        profile_checks::finish(self.store.writer(), check, retry_at).await?;
        Ok(())
    }

    async fn record(
        &self,
        check: &Check,
        profile: Profile,
        requested_at: i64,
    ) -> Result<(), store::Error> {
        let account = check.account;
        let transaction = self.store.begin().await?;
        accounts::share(&transaction, account).await?;
        let openids = std::slice::from_ref(&check.openid);
        let stored = followers::list_by_openids(&transaction, account, openids).await?.pop();
        let retry_at = retry_at(check, &profile, stored.as_ref(), requested_at);
        // The unionid may belong to a user who was erased and has not acted since.
        let people = [(&check.openid, profile.unionid.as_ref())];
        if !erasures::withhold(&transaction, account, &people).await?.is_empty() {
            profile_checks::finish(&transaction, check, None).await?;
            return transaction.commit().await;
        }
        // If the profile says that the user does not follow, right after an event, fetch it again
        // first.
        if profile.subscribed || retry_at.is_none() {
            record_unionid(&transaction, account, &profile, stored.as_ref(), requested_at).await?;
            let is_known = stored.is_some_and(|stored| stored.unionid.is_some());
            // WeChat returns no unionid for users who do not follow.
            let may_be_absent = profile.subscribed && !is_known && retry_at.is_none();
            let unionid_absent = may_be_absent && profile.unionid.is_none();
            let row = Row { profile, unionid_absent };
            followers::upsert(&transaction, account, &[row], requested_at).await?;
        }
        // Last, because an event also writes the follower before the check. If a newer event has
        // rescheduled the check, this profile is discarded.
        if profile_checks::finish(&transaction, check, retry_at).await? {
            transaction.commit().await?;
        }
        Ok(())
    }
}

/// When to fetch the profile again, if it contradicts the event or is incomplete.
fn retry_at(
    check: &Check,
    profile: &Profile,
    stored: Option<&Follower>,
    requested_at: i64,
) -> Option<i64> {
    let expected = stored.is_none_or(|stored| stored.subscribed);
    let known = stored.is_some_and(|stored| stored.unionid.is_some());
    let complete = profile.unionid.is_some() || known || !expected;
    if profile.subscribed == expected && complete {
        return None;
    }
    next_attempt_at(check, requested_at)
}

/// When to make the next attempt, in ms; `None` after the last.
fn next_attempt_at(check: &Check, requested_at: i64) -> Option<i64> {
    let delay = RETRY_DELAYS_MS.get(usize::try_from(check.attempt).unwrap_or_default())?;
    Some(requested_at + delay)
}

/// Records a changed unionid, and schedules checks of other followers stored with the new one: two
/// users of one account cannot share a unionid.
async fn record_unionid(
    transaction: &Transaction,
    account: AccountId,
    profile: &Profile,
    stored: Option<&Follower>,
    requested_at: i64,
) -> Result<(), store::Error> {
    let Some(new) = &profile.unionid else { return Ok(()) };
    let old: Option<&UnionId> = stored.and_then(|stored| stored.unionid.as_ref());
    if old == Some(new) {
        return Ok(());
    }
    if let Some(old) = old {
        let (openid, old, new) = (profile.openid.clone(), old.clone(), new.clone());
        let conflict = Conflict { openid, old, new };
        quarantine::record_conflicts(transaction, account, 0, &[conflict], requested_at).await?;
    }
    profile_checks::schedule_sharers(transaction, account, &profile.openid, new, requested_at).await
}
