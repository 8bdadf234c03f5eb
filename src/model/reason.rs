//! Why a message waits, will not arrive, or may have arrived.

use super::word::word;

word!(
    /// Why a message waits, will not arrive, or may have arrived. What WeChat said stands with the attempt.
    Reason {
        /// Waits: WeChat is busy, or out of reach.
        Busy = "wechat_busy",
        /// Waits: WeChat's limit per minute is reached.
        RateLimited = "rate_limited",
        /// Waits: this person was sent too much lately.
        TooFrequent = "too_frequent",
        /// Waits: the account's allowance for the day is used up.
        QuotaSpent = "quota_spent",
        /// Waits: WeChat refuses the account, and an operator has to act.
        AccountRefused = "account_refused",
        /// Waits: WeChat does not send this template for now.
        TemplateStopped = "template_stopped",
        /// Waits, and is tried once more: WeChat's reason may be passing.
        Doubted = "tried_once_more",
        /// May have arrived: WeChat's answer was lost.
        AnswerLost = "answer_lost",
        /// Failed: the person does not follow the Official Account.
        Unfollowed = "unfollowed",
        /// Failed: the person does not want messages of this template, or has not agreed to one.
        RefusedByUser = "refused_by_user",
        /// Failed: the openid is none of the account that sends.
        OpenidUnknown = "openid_unknown",
        /// Failed: the account, or WeChat, has blacklisted the person.
        UserBlocked = "user_blocked",
        /// Failed: the account has no such template.
        TemplateUnknown = "template_unknown",
        /// Failed: WeChat has banned the template, or the account from sending it.
        TemplateBanned = "template_banned",
        /// Failed: WeChat does not let this text pass.
        ContentRefused = "content_refused",
        /// Failed: a value does not fit its key, which the attempt names.
        DataInvalid = "data_invalid",
        /// Failed: what a tap would open is not right.
        JumpInvalid = "jump_invalid",
        /// Failed: WeChat does not understand the request.
        RequestInvalid = "request_invalid",
        /// Failed: WeChat has withdrawn this way of sending.
        Retired = "retired",
        /// Failed: WeChat refuses it for a reason that is not documented, or as it refuses an account while
        /// the account's other messages pass.
        Refused = "refused",
        /// Failed: it could not be sent in time.
        Expired = "expired",
    }
);
