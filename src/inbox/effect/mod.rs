//! What an event changes, in the transaction that claims it.

mod consents;

use super::{CallbackAccount, Inbox};
use crate::model::{AppId, Follower, OpenId};
use crate::store::audit::{self, Action};
use crate::store::erasures::{self, Subject};
use crate::store::followers::{self, FollowEvent, Recorded};
use crate::store::{self, AccountId, Transaction, accounts, callbacks, profile_checks};
use crate::wechat::callback::{DataSubject, Event, Notification};

/// Events older than this change nothing: their fingerprints will be forgotten soon, and the nightly
/// crawl has seen what they tell.
const OLDEST_MS: i64 = 48 * 3_600 * 1_000;

/// Who erases, for the audit trail, where WeChat says that a person wants it.
const ACTOR: &str = "wechat";

/// An event about to have its effect.
struct EventContext<'a> {
    transaction: &'a Transaction,
    appid: &'a AppId,
    account: AccountId,
    /// By WeChat's clock, in seconds.
    created_at: i64,
    /// By the database's clock, in milliseconds.
    received_at: i64,
}

impl Inbox {
    /// Handles an event, unless it was handled before.
    pub(super) async fn handle(
        &self,
        account: &CallbackAccount,
        number: AccountId,
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
            account: number,
            created_at,
            received_at,
        };
        let wanted = match &account.followers {
            _ if is_too_old(appid, created_at, received_at) => false,
            Some(_) => context.at_official_account(&notification).await?,
            None => context.at_any_account(&notification).await?,
        };
        transaction.commit().await?;
        tracing::debug!(app.id = %account.appid, "callback handled");
        if wanted {
            account.wanted.notify_one();
        }
        Ok(())
    }
}

/// Whether an event of an account is too old to change anything, and says so in the log.
pub(super) fn is_too_old(appid: &AppId, created_at: i64, received_at: i64) -> bool {
    let is_too_old = created_at * 1_000 + OLDEST_MS < received_at;
    if is_too_old {
        tracing::warn!(
            app.id = %appid,
            hint = "compare the database's clock with the time",
            "an event is more than two days old and changes nothing"
        );
    }
    is_too_old
}

impl EventContext<'_> {
    /// Whether a profile is to be asked for.
    async fn at_official_account(&self, notification: &Notification) -> Result<bool, store::Error> {
        match (&notification.event, notification.person()) {
            (Event::Subscribe { .. }, Some(openid)) => self.follow(&openid).await,
            (Event::Unsubscribe, Some(openid)) => self.leave(&openid).await,
            (Event::Scan { .. } | Event::Message, Some(openid)) => self.act(&openid).await,
            (Event::UserInfoModified(_), Some(openid)) => self.look_up_if_known(&openid).await,
            _ => self.at_any_account(notification).await,
        }
    }

    /// What a Mini Program is told too.
    async fn at_any_account(&self, notification: &Notification) -> Result<bool, store::Error> {
        match (&notification.event, notification.person()) {
            (Event::SubscribeMessagePopup(answers), Some(openid)) => {
                self.answer(&openid, answers).await
            }
            (Event::SubscribeMessageChange(settings), Some(openid)) => {
                self.change(&openid, settings).await
            }
            (event, _) => self.withdraw(event).await,
        }
    }

    /// Somebody follows. What WeChat says of them is asked for at once.
    async fn follow(&self, openid: &OpenId) -> Result<bool, store::Error> {
        accounts::share(self.transaction, self.account).await?;
        let erased_at = self.erased_at(openid).await?;
        if self.is_before(erased_at) {
            return Ok(false);
        }
        let recorded = self.record(openid, true).await?;
        self.readmit(openid, erased_at).await?;
        match recorded {
            Recorded::Stale => Ok(false),
            Recorded::Applied | Recorded::Doubtful => self.look_up(openid).await,
        }
    }

    async fn leave(&self, openid: &OpenId) -> Result<bool, store::Error> {
        accounts::share(self.transaction, self.account).await?;
        if self.erased_at(openid).await?.is_some() {
            return Ok(false);
        }
        match self.record(openid, false).await? {
            Recorded::Doubtful => self.look_up(openid).await,
            Recorded::Applied | Recorded::Stale => Ok(false),
        }
    }

    /// Somebody did what only a follower can do.
    async fn act(&self, openid: &OpenId) -> Result<bool, store::Error> {
        let erased_at = self.erased_at(openid).await?;
        if self.is_before(erased_at) {
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
            // Who writes a lot is not asked for each time.
            Some(known) if known.subscribed => {
                let (account, now) = (self.account, self.received_at);
                profile_checks::schedule_unless_waiting(self.transaction, account, openid, now)
                    .await
            }
            _ => self.look_up(openid).await,
        }
    }

    async fn look_up_if_known(&self, openid: &OpenId) -> Result<bool, store::Error> {
        match self.find(openid).await? {
            Some(_) => self.look_up(openid).await,
            None => Ok(false),
        }
    }

    /// Somebody withdrew an authorisation or closed their account: they are forgotten.
    async fn withdraw(&self, event: &Event) -> Result<bool, store::Error> {
        let (Event::UserAuthorizationRevoke(subject)
        | Event::UserAuthorizationCancellation(subject)) = event
        else {
            return Ok(false);
        };
        let DataSubject { openid, unionid, appid } = subject;
        let unionid = unionid.as_ref();
        let place = openid.as_ref().zip(self.account_of(appid.as_ref()).await?);
        let subject = match (place, unionid) {
            (Some((openid, account)), _) => Subject::OpenId { account, openid, unionid },
            (None, Some(unionid)) => Subject::Unionid(unionid),
            (None, None) => return Ok(false),
        };
        let person = erasures::erase(self.transaction, subject).await?.person;
        let action = Action::PersonErased;
        audit::record(self.transaction, ACTOR, action, Some(&person), None).await?;
        Ok(false)
    }

    /// The account that an event's data is of, if it is known here; the one that it was sent to where it
    /// names none.
    async fn account_of(&self, named: Option<&AppId>) -> Result<Option<AccountId>, store::Error> {
        match named {
            Some(named) if named != self.appid => accounts::find(self.transaction, named).await,
            _ => Ok(Some(self.account)),
        }
    }

    async fn erased_at(&self, openid: &OpenId) -> Result<Option<i64>, store::Error> {
        erasures::find_erased_at(self.transaction, self.account, openid).await
    }

    /// Whether the person was erased after this event: then they stay forgotten. WeChat tells the
    /// second only, so the event may have come at its end.
    fn is_before(&self, erased_at: Option<i64>) -> bool {
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

    async fn look_up(&self, openid: &OpenId) -> Result<bool, store::Error> {
        profile_checks::schedule(self.transaction, self.account, openid, self.received_at).await?;
        Ok(true)
    }

    async fn find(&self, openid: &OpenId) -> Result<Option<Follower>, store::Error> {
        let openids = std::slice::from_ref(openid);
        let found = followers::list_by_openids(self.transaction, self.account, openids).await?;
        Ok(found.into_iter().next())
    }
}
