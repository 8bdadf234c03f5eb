//! One attempt at one message: at its moment, once, and with an outcome in time.
//!
//! A message may have been sent from the moment on at which its bytes may leave. Whatever it waits for
//! before, a token or a place among the calls in flight, it waits for with an end, and is given back then.

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

/// How soon it is tried again to give a message back.
const GIVE_BACK_AGAIN: Duration = Duration::from_millis(500);

/// What WeChat said.
pub(in crate::push) enum Answer {
    /// It has the message, by this number, where it gave one.
    Accepted(Option<i64>),
    /// It did not say that it has it.
    Failed(wechat::Error),
    /// Nothing, for so long that the attempt was given up.
    Nothing,
}

impl Answer {
    /// Why it is none that says yes.
    pub(in crate::push) fn error(&self) -> Option<&wechat::Error> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Accepted(_) | Self::Nothing => None,
        }
    }
}

impl Push {
    /// Sends a message and notes what came of it, or gives it back where `stop` fires before or its time
    /// is over.
    pub(in crate::push) async fn deliver(
        self: Arc<Self>,
        appid: AppId,
        claimed: Claimed,
        stop: CancellationToken,
    ) {
        let Some(sender) = self.senders.get(&appid) else { return };
        let leaves_at = claimed.clock.instant_of(claimed.sends_at);
        tokio::select! {
            biased;
            () = stop.cancelled() => return self.give_back(&claimed).await,
            () = tokio::time::sleep_until(leaves_at) => {}
        }
        let Some(answer) = self.attempt(&sender.wechat, &claimed).await else {
            return self.give_back(&claimed).await;
        };
        if let Answer::Accepted(_) = answer {
            failpoint!("push.accepted");
        }
        self.settle(sender, &claimed, &answer).await;
    }

    /// `None` where nothing left, or nothing that WeChat did not refuse for its token.
    async fn attempt(&self, account: &Account, claimed: &Claimed) -> Option<Answer> {
        let leaving = AttemptGuard { push: self, claimed };
        let ends_at = claimed.clock.instant_of(claimed.ends_at());
        match timeout_at(ends_at, send(account, &claimed.message, &leaving)).await {
            Ok(Ok(msgid)) => Some(Answer::Accepted(msgid)),
            Ok(Err(wechat::Error::NotMade { .. })) => None,
            Ok(Err(error)) => Some(Answer::Failed(error)),
            Err(_) => Some(Answer::Nothing),
        }
    }

    /// What is not given back is in doubt when its claim ends, so this is tried until then.
    async fn give_back(&self, claimed: &Claimed) {
        loop {
            let (claim, message) = (&claimed.claim, &claimed.message);
            let given = messages::give_back(self.store.writer(), claim, message).await;
            let Err(error) = given else { return };
            tracing::warn!(message.id = %claim.id, %error, "a message was not given back");
            if !error.is_passing() || claimed.clock.now_ms() >= claim.due_at {
                return;
            }
            tokio::time::sleep(GIVE_BACK_AGAIN).await;
        }
    }
}

/// A message that is about to leave.
struct AttemptGuard<'a> {
    push: &'a Push,
    claimed: &'a Claimed,
}

#[async_trait]
impl BeforeSend for AttemptGuard<'_> {
    fn deadline(&self) -> Instant {
        self.claimed.clock.instant_of(self.claimed.leaves_by)
    }

    /// Not after its time, when another process may have the message: one that was stopped for a while
    /// wakes here. What WeChat could not tell from a second copy is noted to be under way only now.
    async fn begin(&self) -> bool {
        let Claimed { claim, clock, .. } = self.claimed;
        if self.claimed.is_late() {
            return false;
        }
        if self.claimed.message.route.channel == Channel::Template {
            return true;
        }
        let store = self.push.store.writer();
        let noted =
            timeout_at(self.deadline(), messages::depart(store, claim, clock.now_ms())).await;
        match noted {
            Ok(Ok(is_ours)) => is_ours,
            Ok(Err(error)) => {
                tracing::warn!(message.id = %claim.id, %error, "a message waits for the database");
                false
            }
            Err(_) => false,
        }
    }
}

async fn send(
    account: &Account,
    message: &Message,
    leaving: &AttemptGuard<'_>,
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
            account.send_template(&message, leaving).await.map(Some)
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
            account.send_subscribe(&message, leaving).await
        }
    }
}
