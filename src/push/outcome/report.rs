//! What is said of outcomes: numbers for each, and log lines where an operator may have to act.

use metrics::counter;

use super::record::Noted;
use super::settlement::{Next, Settlement};
use crate::model::{AppId, MessageState};
use crate::push::deliver::Claimed;
use crate::push::{Push, Sender};
use crate::wechat;

impl Push {
    /// Tells what was noted, and has the other way of a message tried at once.
    pub(super) fn tell(
        &self,
        sender: &Sender,
        claimed: &Claimed,
        settlement: &Settlement,
        error: Option<&wechat::Error>,
        noted: Noted,
    ) {
        let appid = sender.wechat.appid();
        if let Some(error) = error {
            tracing::debug!(app.id = %appid, message.id = %claimed.claim.id, %error, "not accepted");
        }
        let hint = error.and_then(wechat::Error::hint);
        if noted.is_held
            && let Some((_, reason)) = &settlement.hold
        {
            tracing::warn!(app.id = %appid, reason, hint, "the account's messages wait");
        }
        if noted.is_stopped {
            let template_id = &claimed.message.route.template_id;
            let said = error.map(tracing::field::display);
            tracing::warn!(app.id = %appid, template.id = %template_id, error = said, "a template's messages wait");
        }
        match &settlement.next {
            Next::Stands(progress) => {
                count(appid, progress.state, progress.reason.as_deref(), claimed.in_doubt);
            }
            Next::Goes(..) => self.senders.values().for_each(|sender| sender.wanted.notify_one()),
        }
    }
}

fn count(appid: &AppId, state: MessageState, reason: Option<&str>, was_in_doubt: bool) {
    match state {
        MessageState::Sent => {
            counter!("push_sent_total", "app_id" => appid.to_string()).increment(1);
        }
        MessageState::Failed => count_failed(appid, reason.unwrap_or_default(), 1),
        MessageState::Unknown if !was_in_doubt => count_unknown(appid, 1),
        _ => {}
    }
}

/// Counts messages that will not arrive, by the first word of the reason.
pub(in crate::push) fn count_failed(appid: &AppId, reason: &str, messages: u64) {
    let word = reason.split(':').next().unwrap_or_default().to_owned();
    counter!("push_failed_total", "app_id" => appid.to_string(), "reason" => word)
        .increment(messages);
}

/// Counts messages that may have arrived, and of which that was not known before.
pub(in crate::push) fn count_unknown(appid: &AppId, messages: u64) {
    counter!("push_unknown_total", "app_id" => appid.to_string()).increment(messages);
}
