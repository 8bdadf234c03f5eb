//! One attempt at one message: at its moment, once, and with an outcome in time.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::claim::Claimed;
use crate::failpoint::failpoint;
use crate::model::{AppId, Channel, Content, MessageId};
use crate::push::Push;
use crate::store::messages::{Message, Route, give_back};
use crate::wechat::subscribe::SubscribeMessage;
use crate::wechat::template::TemplateMessage;
use crate::wechat::{self, Account};

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
        // A process that was stopped for a while wakes here.
        if claimed.is_over() {
            return self.give_back(&claimed).await;
        }
        let Some(answer) = attempt(&sender.wechat, &claimed).await else {
            return self.give_back(&claimed).await;
        };
        if let Answer::Accepted(_) = answer {
            failpoint!("push.accepted");
        }
        self.settle(sender, &claimed, &answer).await;
    }

    /// What is not given back is in doubt when its claim ends.
    async fn give_back(&self, claimed: &Claimed) {
        let given = give_back(self.store.writer(), &claimed.claim, &claimed.message).await;
        if let Err(error) = given {
            tracing::warn!(message.id = %claimed.claim.id, %error, "a message was not given back");
        }
    }
}

/// `None` where its time was over before anything could leave: there was no token to call with.
async fn attempt(account: &Account, claimed: &Claimed) -> Option<Answer> {
    let ends_at = claimed.clock.instant_of(claimed.ends_at());
    match tokio::time::timeout_at(ends_at, account.prepare()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Some(Answer::Failed(error)),
        Err(_) => return None,
    }
    let Message { id, route, .. } = &claimed.message;
    Some(match tokio::time::timeout_at(ends_at, send(account, id, route)).await {
        Ok(Ok(msgid)) => Answer::Accepted(msgid),
        Ok(Err(error)) => Answer::Failed(error),
        Err(_) => Answer::Nothing,
    })
}

async fn send(
    account: &Account,
    id: &MessageId,
    route: &Route,
) -> Result<Option<i64>, wechat::Error> {
    let Route { channel, openid, template_id, content, .. } = route;
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
            account.send_template(&message).await.map(Some)
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
            account.send_subscribe(&message).await
        }
    }
}
