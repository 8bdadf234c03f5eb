//! The accounts that a request refers to.

use crate::http::Context;
use crate::http::auth::Caller;
use crate::http::error::Problem;
use crate::model::{AccountKind, AppId, UnclearAccount};

/// Returns the accounts of `kind` that a request refers to: the one it names, or all that the key may access.
pub(super) fn select<'c, S>(
    context: &'c Context,
    caller: &Caller<S>,
    kind: AccountKind,
    named: Option<&AppId>,
) -> Result<Vec<&'c AppId>, Problem> {
    let Some(named) = named else { return Ok(allowed(context, caller, kind).collect()) };
    caller.require_app(named)?;
    let found = allowed(context, caller, kind).find(|appid| *appid == named);
    found.map(|appid| vec![appid]).ok_or_else(|| unknown(context, caller, kind, named))
}

/// The error for an account that is not configured. Its hint lists the accounts that the key may access.
pub(super) fn unknown<S>(
    context: &Context,
    caller: &Caller<S>,
    kind: AccountKind,
    named: &AppId,
) -> Problem {
    kind.unknown(allowed(context, caller, kind), named).into()
}

/// Returns the accounts of `kind` that the key may access.
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
