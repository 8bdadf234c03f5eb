//! What the operations on templates have in common, for the document.

use utoipa::IntoResponses;

/// What WeChat may say.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes what a `Problem` says")]
pub(super) enum WechatRefusals {
    /// `wechat_refused_request`: WeChat does not do this; `upstream` says why
    #[response(status = 422)]
    Request,
    /// `wechat_refused`: WeChat refuses the account until an operator has acted. `wechat_not_understood`:
    /// its answer cannot be read
    #[response(status = 502)]
    Account,
    /// `wechat_busy`, `wechat_quota_spent`, or the database does not answer
    #[response(status = 503)]
    Busy,
    /// `wechat_too_slow`: WeChat has not answered in time; a change may be done all the same
    #[response(status = 504)]
    TooSlow,
}

/// Where an Official Account is named.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes what a `Problem` says")]
pub(super) enum OfficialAccountRefusals {
    /// `official_account_unknown`: the account is not configured
    #[response(status = 404)]
    Unknown,
}

/// Where a Mini Program is named.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes what a `Problem` says")]
pub(super) enum MiniProgramRefusals {
    /// `mini_program_unknown`: the account is not configured
    #[response(status = 404)]
    Unknown,
}
