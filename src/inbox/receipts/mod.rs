//! Receipts: what WeChat says became of the messages that it took.
//!
//! ```text
//! push → `writer`: with those that come at the same time → `record`: one transaction → `success`
//!        message known: ended | not known yet: kept → `join`: ended later
//! ```
//!
//! The first receipt of a message stands, and to record one again changes nothing: so they need not be
//! claimed as other events are. What they say of a person (`user block`) is no word about following.

mod join;
mod record;
mod writer;

use metrics::counter;

use crate::model::{AppId, MessageState};
use crate::store::AccountId;
use crate::store::receipts::{Receipt, SUCCESS};
use crate::wechat::callback::{Delivery, Event, Notification};

pub(super) use join::join_for_ever;
pub(super) use writer::ReceiptWriter;

/// The receipts of one push.
pub(super) struct ReceiptBatch {
    appid: AppId,
    /// By WeChat's clock, in seconds.
    created_at: i64,
    receipts: Vec<Receipt>,
}

impl ReceiptBatch {
    /// What a push says of messages; `None` where it is about something else.
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

/// What became of a subscribe message, told as of a template message: `success`, or `failed:` and why.
fn status(delivery: &Delivery) -> String {
    let Delivery { error_code, error_status, .. } = delivery;
    let words = error_status.trim_start_matches("failed").trim_start_matches([':', ' ']);
    match (*error_code, words) {
        (0, "" | SUCCESS) => SUCCESS.to_owned(),
        (0, words) => format!("failed:{words}"),
        (code, "") => format!("failed:{code}"),
        (code, words) => format!("failed:{words} ({code})"),
    }
}

/// Counts messages that receipts ended.
fn count(state: MessageState, messages: u64) {
    counter!("push_receipts_total", "status" => state.as_str()).increment(messages);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(error_code: i64, error_status: &str) -> String {
        let template_id = "template".to_owned();
        let error_status = error_status.to_owned();
        status(&Delivery { template_id, msgid: Some(1), error_code, error_status })
    }

    #[test]
    fn a_subscribe_message_fails_in_the_words_of_a_template_message() {
        assert_eq!(told(0, "success"), "success");
        assert_eq!(told(0, ""), "success");
        assert_eq!(told(3, "user refuse"), "failed:user refuse (3)");
        assert_eq!(told(3, "failed: system failed"), "failed:system failed (3)");
        assert_eq!(told(0, "failed:user block"), "failed:user block");
        assert_eq!(told(20, ""), "failed:20");
        assert_eq!(told(20, "failed"), "failed:20");
    }
}
