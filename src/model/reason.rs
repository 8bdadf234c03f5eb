//! Why a message waits, failed, or may have arrived.

use super::string_enum::string_enum;

string_enum!(
    /// Why a message waits, failed, or may have arrived. WeChat's error text is stored with the
    /// attempt.
    Reason {
        /// Waits: WeChat is busy or unreachable.
        Busy = "wechat_busy",
        /// Waits: WeChat's rate limit per minute is reached.
        RateLimited = "rate_limited",
        /// Waits: the user was sent too many messages recently.
        TooFrequent = "too_frequent",
        /// Waits: many messages to the same user are due, and they are sent one after another.
        UserBusy = "user_busy",
        /// Waits: the account's daily quota is used up.
        QuotaSpent = "quota_spent",
        /// Waits: WeChat refuses the account, and an operator has to act.
        AccountRefused = "account_refused",
        /// Waits: WeChat currently refuses the template.
        TemplateStopped = "template_stopped",
        /// Waits for one more attempt: WeChat's refusal may be temporary.
        Unconfirmed = "tried_once_more",
        /// May have arrived: WeChat's answer was lost.
        AnswerLost = "answer_lost",
        /// Failed: the user does not follow the Official Account.
        Unfollowed = "unfollowed",
        /// Failed: the user declined the template, or has not agreed to receive a message.
        RefusedByUser = "refused_by_user",
        /// Failed: the openid does not belong to the sending account.
        OpenidUnknown = "openid_unknown",
        /// Failed: the account, or WeChat, has blocked the user.
        UserBlocked = "user_blocked",
        /// Failed: the account has no such template.
        TemplateUnknown = "template_unknown",
        /// Failed: WeChat has banned the template, or banned the account from using it.
        TemplateBanned = "template_banned",
        /// Failed: WeChat refuses the text.
        ContentRefused = "content_refused",
        /// Failed: a value is invalid for its key; the attempt names the key.
        DataInvalid = "data_invalid",
        /// Failed: the link or Mini Program page that a tap opens is invalid.
        JumpInvalid = "jump_invalid",
        /// Failed: WeChat rejects the request as malformed.
        RequestInvalid = "request_invalid",
        /// Failed: WeChat has retired this API.
        Retired = "retired",
        /// Failed: WeChat refuses the message for an undocumented reason, or with an error about
        /// the account although it accepts other messages of the account.
        Refused = "refused",
        /// Failed: it could not be sent in time.
        Expired = "expired",
    }
);
