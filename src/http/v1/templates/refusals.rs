//! Error responses that the template operations share, for the OpenAPI document.

use utoipa::IntoResponses;

/// The errors of a call to WeChat.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes the responses of a `Problem`")]
pub(super) enum WechatRefusals {
    /// `wechat_refused_request`: WeChat rejects this request; `upstream` says why
    #[response(status = 422)]
    Request,
    /// `wechat_refused`: WeChat refuses the account until an operator has acted; `hint` and `upstream` say
    /// why. `wechat_not_understood`: WeChat's response could not be parsed
    #[response(status = 502)]
    Account,
    /// `wechat_busy`: WeChat is overloaded. `wechat_quota_spent`: the daily quota is used up.
    /// `database_unavailable`: the database failed. Repeat the request after `Retry-After`
    #[response(status = 503)]
    Busy,
    /// `wechat_too_slow`: WeChat did not respond within 10 s. It may have made the change: check before you
    /// repeat the request
    #[response(status = 504)]
    TooSlow,
}

/// The errors of operations on an Official Account.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes the responses of a `Problem`")]
pub(super) enum OfficialAccountRefusals {
    /// `official_account_unknown`: the account is not configured
    #[response(status = 404)]
    Unknown,
}

/// The errors of operations on a Mini Program.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes the responses of a `Problem`")]
pub(super) enum MiniProgramRefusals {
    /// `mini_program_unknown`: the Mini Program is not configured
    #[response(status = 404)]
    Unknown,
}
