//! Metrics for each outcome, and log lines where an operator may have to act.

use metrics::counter;

use super::record::NewHolds;
use super::settlement::{Next, Settlement};
use crate::model::{AppId, MessageState};
use crate::push::deliver::Claimed;
use crate::push::{Push, Sender};
use crate::wechat;

/// The hint for a hold because WeChat's answers are lost.
const OUTAGE_HINT: &str = "check the connection to WeChat with `unionid-bridge doctor`; one message at a time \
                           tests whether WeChat answers again";

impl Push {
    /// Reports an outcome that was recorded, and wakes the workers if the message was rerouted to
    /// its fallback.
    pub(super) fn report(
        &self,
        sender: &Sender,
        claimed: &Claimed,
        settlement: &Settlement,
        error: Option<&wechat::Error>,
        new_holds: NewHolds,
    ) {
        let appid = sender.wechat.appid();
        if let Some(error) = error {
            tracing::debug!(app.id = %appid, message.id = %claimed.claim.id, %error, "WeChat did not accept a message");
        }
        let hint = error.and_then(wechat::Error::hint).or_else(|| {
            let is_outage = error.is_none_or(wechat::Error::may_have_arrived);
            is_outage.then(|| OUTAGE_HINT.to_owned())
        });
        if new_holds.account_held
            && let Some((_, reason)) = &settlement.hold
        {
            tracing::warn!(app.id = %appid, reason, hint, "the account's messages are on hold");
        }
        if new_holds.template_stopped {
            let template_id = &claimed.message.route.template_id;
            let upstream_error = error.map(tracing::field::display);
            tracing::warn!(app.id = %appid, template.id = %template_id, error = upstream_error, "the template's messages are on hold");
        }
        match &settlement.next {
            Next::Update(progress) => {
                count(appid, progress.state, progress.reason.as_deref(), claimed.may_have_arrived);
            }
            Next::Reroute(..) => self.senders.values().for_each(|sender| sender.wake.notify_one()),
        }
    }
}

fn count(appid: &AppId, state: MessageState, reason: Option<&str>, was_unknown: bool) {
    match state {
        MessageState::Sent => {
            counter!("push_sent_total", "app_id" => appid.to_string()).increment(1);
        }
        MessageState::Failed => count_failed(appid, reason.unwrap_or_default(), 1),
        MessageState::Unknown if !was_unknown => count_unknown(appid, 1),
        _ => {}
    }
}

/// Counts messages that will not arrive, labelled with the reason up to its first colon.
pub(in crate::push) fn count_failed(appid: &AppId, reason: &str, messages: u64) {
    let reason = reason.split(':').next().unwrap_or_default().to_owned();
    counter!("push_failed_total", "app_id" => appid.to_string(), "reason" => reason)
        .increment(messages);
}

/// Counts messages whose outcome became unknown.
pub(in crate::push) fn count_unknown(appid: &AppId, messages: u64) {
    counter!("push_unknown_total", "app_id" => appid.to_string()).increment(messages);
}
