//! Applies events, in the transaction that claims them.

mod consents;

use super::{CallbackAccount, Inbox};
use crate::model::{AppId, Follower, OpenId};
use crate::store::audit::{self, Action};
use crate::store::erasures::{self, Subject};
use crate::store::followers::{self, FollowEvent, Recorded};
use crate::store::{self, AccountId, Transaction, accounts, callbacks, profile_checks};
use crate::wechat::callback::{DataSubject, Event, Notification};

/// Maximum age, in ms, of an event that has an effect. The fingerprints of older events are deleted
/// soon, and the nightly sync has seen the change.
const MAX_EVENT_AGE_MS: i64 = 48 * 3_600 * 1_000;

/// The actor in the audit trail when WeChat reports that a user wants to be erased.
const ACTOR: &str = "wechat";

/// An event and the transaction it is applied in.
struct EventContext<'a> {
    transaction: &'a Transaction,
    appid: &'a AppId,
    account: AccountId,
    /// WeChat's time, in seconds since 1970.
    created_at: i64,
    /// Database time, in ms.
    received_at: i64,
}

impl Inbox {
    /// Handles an event, unless it was handled before.
    pub(super) async fn handle(
        &self,
        account: &CallbackAccount,
        account_id: AccountId,
        notification: Notification,
    ) -> Result<(), store::Error> {
        let transaction = self.store.begin().await?;
        let received_at = store::now(&transaction).await?;
        if !callbacks::claim(&transaction, &notification.fingerprint(), received_at).await? {
            return Ok(());
        }
        let created_at = notification.created_at;
        let appid = &account.appid;
        let context = EventContext {
            transaction: &transaction,
            appid,
            account: account_id,
            created_at,
            received_at,
        };
        let check_scheduled = match &account.followers {
            _ if is_too_old(appid, created_at, received_at) => false,
            Some(_) => context.at_official_account(&notification).await?,
            None => context.at_any_account(&notification).await?,
        };
        transaction.commit().await?;
        tracing::debug!(app.id = %account.appid, "callback handled");
        if check_scheduled {
            account.wake.notify_one();
        }
        Ok(())
    }
}

/// Whether an event is too old to have an effect. Logs a warning if it is.
pub(super) fn is_too_old(appid: &AppId, created_at: i64, received_at: i64) -> bool {
    let is_too_old = created_at * 1_000 + MAX_EVENT_AGE_MS < received_at;
    if is_too_old {
        tracing::warn!(
            app.id = %appid,
            hint = "check that the database's clock is correct",
            "ignored an event that is more than two days old"
        );
    }
    is_too_old
}

impl EventContext<'_> {
    /// Applies an event of an Official Account. Returns whether a profile check was scheduled.
    async fn at_official_account(&self, notification: &Notification) -> Result<bool, store::Error> {
        match (&notification.event, notification.person()) {
            (Event::Subscribe { .. }, Some(openid)) => self.follow(&openid).await,
            (Event::Unsubscribe, Some(openid)) => self.unfollow(&openid).await,
            (Event::Scan { .. } | Event::Message, Some(openid)) => self.interact(&openid).await,
            (Event::UserInfoModified(_), Some(openid)) => {
                self.schedule_check_if_known(&openid).await
            }
            _ => self.at_any_account(notification).await,
        }
    }

    /// Applies an event that Official Accounts and Mini Programs have in common.
    async fn at_any_account(&self, notification: &Notification) -> Result<bool, store::Error> {
        match (&notification.event, notification.person()) {
            (Event::SubscribeMessagePopup(answers), Some(openid)) => {
                self.record_answers(&openid, answers).await
            }
            (Event::SubscribeMessageChange(settings), Some(openid)) => {
                self.record_settings(&openid, settings).await
            }
            (event, _) => self.erase_subject(event).await,
        }
    }

    /// The user followed. Their profile is fetched at once.
    async fn follow(&self, openid: &OpenId) -> Result<bool, store::Error> {
        accounts::share(self.transaction, self.account).await?;
        let erased_at = self.erased_at(openid).await?;
        if self.predates_erasure(erased_at) {
            return Ok(false);
        }
        let recorded = self.record(openid, true).await?;
        self.readmit(openid, erased_at).await?;
        match recorded {
            Recorded::Stale => Ok(false),
            Recorded::Applied | Recorded::Contradictory => self.schedule_check(openid).await,
        }
    }

    async fn unfollow(&self, openid: &OpenId) -> Result<bool, store::Error> {
        accounts::share(self.transaction, self.account).await?;
        if self.erased_at(openid).await?.is_some() {
            return Ok(false);
        }
        match self.record(openid, false).await? {
            Recorded::Contradictory => self.schedule_check(openid).await,
            Recorded::Applied | Recorded::Stale => Ok(false),
        }
    }

    /// The user did something that only a follower can do.
    async fn interact(&self, openid: &OpenId) -> Result<bool, store::Error> {
        let erased_at = self.erased_at(openid).await?;
        if self.predates_erasure(erased_at) {
            return Ok(false);
        }
        self.readmit(openid, erased_at).await?;
        let known = self.find(openid).await?;
        match known {
            Some(known)
                if known.subscribed && (known.unionid.is_some() || known.unionid_absent) =>
            {
                Ok(false)
            }
            // At most one check is scheduled, however many messages the user writes.
            Some(known) if known.subscribed => {
                let (account, now) = (self.account, self.received_at);
                profile_checks::schedule_unless_waiting(self.transaction, account, openid, now)
                    .await
            }
            _ => self.schedule_check(openid).await,
        }
    }

    async fn schedule_check_if_known(&self, openid: &OpenId) -> Result<bool, store::Error> {
        match self.find(openid).await? {
            Some(_) => self.schedule_check(openid).await,
            None => Ok(false),
        }
    }

    /// The user withdrew an authorisation or closed their WeChat account, and is erased.
    async fn erase_subject(&self, event: &Event) -> Result<bool, store::Error> {
        let (Event::UserAuthorizationRevoke(subject)
        | Event::UserAuthorizationCancellation(subject)) = event
        else {
            return Ok(false);
        };
        let DataSubject { openid, unionid, appid } = subject;
        let unionid = unionid.as_ref();
        let local_user = openid.as_ref().zip(self.find_account(appid.as_ref()).await?);
        let subject = match (local_user, unionid) {
            (Some((openid, account)), _) => Subject::OpenId { account, openid, unionid },
            (None, Some(unionid)) => Subject::Unionid(unionid),
            (None, None) => return Ok(false),
        };
        let person = erasures::erase(self.transaction, subject).await?.person;
        let action = Action::PersonErased;
        audit::record(self.transaction, ACTOR, action, Some(&person), None).await?;
        Ok(false)
    }

    /// The account that the event's data belongs to, if it is known here. Events that name none
    /// belong to the receiving account.
    async fn find_account(&self, appid: Option<&AppId>) -> Result<Option<AccountId>, store::Error> {
        match appid {
            Some(appid) if appid != self.appid => accounts::find(self.transaction, appid).await,
            _ => Ok(Some(self.account)),
        }
    }

    async fn erased_at(&self, openid: &OpenId) -> Result<Option<i64>, store::Error> {
        erasures::find_erased_at(self.transaction, self.account, openid).await
    }

    /// Whether the user was erased after this event, so that it must not end the erasure. WeChat's
    /// time has a resolution of seconds, so the event may be up to 999 ms later than it says.
    fn predates_erasure(&self, erased_at: Option<i64>) -> bool {
        erased_at.is_some_and(|erased_at| self.created_at * 1_000 + 999 < erased_at)
    }

    async fn readmit(&self, openid: &OpenId, erased_at: Option<i64>) -> Result<(), store::Error> {
        match erased_at {
            Some(_) => erasures::readmit(self.transaction, self.account, openid, None).await,
            None => Ok(()),
        }
    }

    async fn record(&self, openid: &OpenId, subscribed: bool) -> Result<Recorded, store::Error> {
        let event = FollowEvent { subscribed, created_at: self.created_at };
        followers::record_event(self.transaction, self.account, openid, event, self.received_at)
            .await
    }

    async fn schedule_check(&self, openid: &OpenId) -> Result<bool, store::Error> {
        profile_checks::schedule(self.transaction, self.account, openid, self.received_at).await?;
        Ok(true)
    }

    async fn find(&self, openid: &OpenId) -> Result<Option<Follower>, store::Error> {
        let openids = std::slice::from_ref(openid);
        let found = followers::list_by_openids(self.transaction, self.account, openids).await?;
        Ok(found.into_iter().next())
    }
}
