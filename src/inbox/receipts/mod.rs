//! Receipts: WeChat's reports on the delivery of messages.
//!
//! ```text
//! callback → `writer`: batched with concurrent ones → `record`: one transaction → `success`
//!        message known: ended | not known yet: receipt kept → `matching`: ended later
//! ```
//!
//! The first receipt of a message counts, and recording it again changes nothing, so receipts need
//! no claim as other events do. Their status (such as `user block`) says nothing about following.

mod matching;
mod record;
mod writer;

use metrics::counter;

use crate::model::{AppId, MessageState};
use crate::store::AccountId;
use crate::store::receipts::{Receipt, SUCCESS};
use crate::wechat::callback::{Delivery, Event, Notification};

pub(super) use matching::match_loop;
pub(super) use writer::ReceiptWriter;

/// The receipts of one callback.
pub(super) struct ReceiptBatch {
    appid: AppId,
    /// WeChat's time, in seconds since 1970.
    created_at: i64,
    receipts: Vec<Receipt>,
}

impl ReceiptBatch {
    /// The receipts in a callback; `None` if it is about something else.
    pub(super) fn of(
        notification: &Notification,
        appid: &AppId,
        account: AccountId,
    ) -> Option<Self> {
        let openid = notification.person()?;
        let receipt = |msgid, status| Receipt { account, msgid, openid: openid.clone(), status };
        let receipts = match &notification.event {
            Event::TemplateSendJobFinish { msgid, status } => vec![receipt(*msgid, status.clone())],
            Event::SubscribeMessageSent(deliveries) => deliveries
                .iter()
                .filter_map(|delivery| Some(receipt(delivery.msgid?, status(delivery))))
                .collect(),
            _ => return None,
        };
        Some(Self { appid: appid.clone(), created_at: notification.created_at, receipts })
    }
}

/// The status of a subscribe message in the format of template messages: `success`, or `failed:`
/// and the reason.
fn status(delivery: &Delivery) -> String {
    let Delivery { error_code, error_status, .. } = delivery;
    let reason = error_status.trim_start_matches("failed").trim_start_matches([':', ' ']);
    match (*error_code, reason) {
        (0, "" | SUCCESS) => SUCCESS.to_owned(),
        (0, reason) => format!("failed:{reason}"),
        (code, "") => format!("failed:{code}"),
        (code, reason) => format!("failed:{reason} ({code})"),
    }
}

/// Counts messages that receipts ended.
fn count(state: MessageState, messages: u64) {
    counter!("push_receipts_total", "status" => state.as_str()).increment(messages);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status_of(error_code: i64, error_status: &str) -> String {
        let template_id = "template".to_owned();
        let error_status = error_status.to_owned();
        status(&Delivery { template_id, msgid: Some(1), error_code, error_status })
    }

    #[test]
    fn subscribe_message_errors_are_written_like_template_statuses() {
        assert_eq!(status_of(0, "success"), "success");
        assert_eq!(status_of(0, ""), "success");
        assert_eq!(status_of(3, "user refuse"), "failed:user refuse (3)");
        assert_eq!(status_of(3, "failed: system failed"), "failed:system failed (3)");
        assert_eq!(status_of(0, "failed:user block"), "failed:user block");
        assert_eq!(status_of(20, ""), "failed:20");
        assert_eq!(status_of(20, "failed"), "failed:20");
    }
}
