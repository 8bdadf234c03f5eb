//! Which accounts a request is about.

use crate::http::Context;
use crate::http::auth::Caller;
use crate::http::error::Problem;
use crate::model::{AccountKind, AppId, UnclearAccount};

/// The accounts of a kind that are meant: the one named, or all that the key is for.
pub(super) fn meant<'c, S>(
    context: &'c Context,
    caller: &Caller<S>,
    kind: AccountKind,
    named: Option<&AppId>,
) -> Result<Vec<&'c AppId>, Problem> {
    let Some(named) = named else { return Ok(allowed(context, caller, kind).collect()) };
    caller.may_name(named)?;
    let found = allowed(context, caller, kind).find(|appid| *appid == named);
    found.map(|appid| vec![appid]).ok_or_else(|| unknown(context, caller, kind, named))
}

/// The refusal of an account that is not configured; its hint names those that the key is for.
pub(super) fn unknown<S>(
    context: &Context,
    caller: &Caller<S>,
    kind: AccountKind,
    named: &AppId,
) -> Problem {
    kind.unknown(allowed(context, caller, kind), named).into()
}

/// The accounts of a kind that the key is for.
fn allowed<'c, S>(
    context: &'c Context,
    caller: &Caller<S>,
    kind: AccountKind,
) -> impl Iterator<Item = &'c AppId> {
    context.app.accounts.of(kind).filter(|appid| caller.allows(appid))
}

impl From<UnclearAccount> for Problem {
    fn from(unclear: UnclearAccount) -> Self {
        let (detail, hint) = (unclear.to_string(), unclear.hint());
        let problem = match unclear {
            UnclearAccount::Unknown { kind, .. } => Self::not_found(
                match kind {
                    AccountKind::OfficialAccount => "official_account_unknown",
                    AccountKind::MiniProgram => "mini_program_unknown",
                    AccountKind::Any => "account_unknown",
                },
                detail,
            ),
            UnclearAccount::Unnamed { kind, .. } => Self::bad_request(
                match kind {
                    AccountKind::OfficialAccount => "official_account_needed",
                    AccountKind::MiniProgram => "mini_program_needed",
                    AccountKind::Any => "account_needed",
                },
                detail,
            ),
        };
        problem.hint(hint)
    }
}
