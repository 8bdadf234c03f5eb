//! One attempt to send one message, at its scheduled time and within a deadline.
//!
//! WeChat may have a message from the moment its first byte is sent. Waiting before that, for a
//! token or a free connection, is bounded; when the time is over, the claim is released.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::claim::Claimed;
use crate::failpoint::failpoint;
use crate::model::{AppId, Channel, Content};
use crate::push::Push;
use crate::store::messages::{self, Message, Route};
use crate::wechat::subscribe::SubscribeMessage;
use crate::wechat::template::TemplateMessage;
use crate::wechat::{self, Account, BeforeSend};

/// Delay before another attempt to release a claim.
const RELEASE_RETRY_DELAY: Duration = Duration::from_millis(500);

/// The result of a call to WeChat.
pub(in crate::push) enum Answer {
    /// WeChat accepted the message, and returned its number if known.
    Accepted(Option<i64>),
    /// The call failed, or WeChat rejected the message.
    Failed(wechat::Error),
    /// No answer came before the deadline.
    TimedOut,
}

impl Answer {
    /// Whether WeChat may have accepted the message although it did not say so.
    pub(in crate::push) fn may_be_lost(&self) -> bool {
        match self {
            Self::Accepted(_) => false,
            Self::Failed(error) => error.may_have_arrived(),
            Self::TimedOut => true,
        }
    }

    /// The error, if the call failed.
    pub(in crate::push) fn error(&self) -> Option<&wechat::Error> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Accepted(_) | Self::TimedOut => None,
        }
    }
}

impl Push {
    /// Sends a message and records the outcome. Releases the claim if `stop` fires or the deadline
    /// passes before anything is sent.
    pub(in crate::push) async fn deliver(
        self: Arc<Self>,
        appid: AppId,
        claimed: Claimed,
        stop: CancellationToken,
    ) {
        let Some(sender) = self.senders.get(&appid) else { return };
        let sends_at = claimed.clock.instant_of(claimed.sends_at);
        tokio::select! {
            biased;
            () = stop.cancelled() => return self.release(&claimed).await,
            () = tokio::time::sleep_until(sends_at) => {}
        }
        let Some(answer) = self.attempt(&sender.wechat, &claimed).await else {
            return self.release(&claimed).await;
        };
        if let Answer::Accepted(_) = answer {
            failpoint!("push.accepted");
        }
        self.record_outcome(sender, &claimed, &answer).await;
    }

    /// Returns `None` if nothing was sent, or only requests that WeChat rejected for their token.
    async fn attempt(&self, account: &Account, claimed: &Claimed) -> Option<Answer> {
        let guard = AttemptGuard { push: self, claimed };
        let ends_at = claimed.clock.instant_of(claimed.ends_at());
        match timeout_at(ends_at, send(account, &claimed.message, &guard)).await {
            Ok(Ok(msgid)) => Some(Answer::Accepted(msgid)),
            Ok(Err(wechat::Error::NotSent { .. })) => None,
            Ok(Err(error)) => Some(Answer::Failed(error)),
            Err(_) => Some(Answer::TimedOut),
        }
    }

    /// Retries until the claim ends. After that, a claim that was not released counts as an attempt
    /// whose outcome is unknown.
    async fn release(&self, claimed: &Claimed) {
        loop {
            let (claim, message) = (&claimed.claim, &claimed.message);
            let released = messages::release(self.store.writer(), claim, message).await;
            let Err(error) = released else { return };
            tracing::warn!(message.id = %claim.id, %error, "could not release the claim of a message");
            if !error.is_passing() || claimed.clock.now_ms() >= claim.due_at {
                return;
            }
            tokio::time::sleep(RELEASE_RETRY_DELAY).await;
        }
    }
}

/// Guards the start of an attempt.
struct AttemptGuard<'a> {
    push: &'a Push,
    claimed: &'a Claimed,
}

#[async_trait]
impl BeforeSend for AttemptGuard<'_> {
    fn deadline(&self) -> Instant {
        self.claimed.clock.instant_of(self.claimed.send_by)
    }

    /// Refuses to send after the deadline, when another process may have claimed the message; a
    /// process that was suspended may resume here. A subscribe message is marked as sending only
    /// now, because WeChat could not recognise a second copy of it.
    async fn begin(&self) -> bool {
        let Claimed { claim, clock, .. } = self.claimed;
        if self.claimed.is_late() {
            return false;
        }
        if self.claimed.message.route.channel == Channel::Template {
            return true;
        }
        let store = self.push.store.writer();
        let marked =
            timeout_at(self.deadline(), messages::mark_sending(store, claim, clock.now_ms())).await;
        match marked {
            Ok(Ok(is_ours)) => is_ours,
            Ok(Err(error)) => {
                tracing::warn!(message.id = %claim.id, %error, "could not mark a message as sending; it is sent later");
                false
            }
            Err(_) => false,
        }
    }
}

async fn send(
    account: &Account,
    message: &Message,
    guard: &AttemptGuard<'_>,
) -> Result<Option<i64>, wechat::Error> {
    let Message { id, route: Route { channel, openid, template_id, content, .. }, .. } = message;
    let Content { data, url, miniprogram, page, miniprogram_state, lang } = content;
    match channel {
        Channel::Template => {
            let message = TemplateMessage {
                touser: openid,
                template_id,
                data,
                url: url.as_deref(),
                miniprogram: miniprogram.as_ref(),
                client_msg_id: Some(id.as_str()),
            };
            account.send_template(&message, guard).await
        }
        Channel::Subscribe => {
            let message = SubscribeMessage {
                touser: openid,
                template_id,
                data,
                page: page.as_deref(),
                miniprogram_state: miniprogram_state.as_deref(),
                lang: lang.as_deref(),
            };
            account.send_subscribe(&message, guard).await
        }
    }
}
