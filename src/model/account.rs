//! Chooses one of the configured accounts: the requested one, or the only one.

use std::fmt;

use super::AppId;

/// A kind of account in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountKind {
    /// An Official Account.
    OfficialAccount,
    /// A Mini Program.
    MiniProgram,
    /// Either.
    Any,
}

impl fmt::Display for AccountKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OfficialAccount => "Official Account",
            Self::MiniProgram => "Mini Program",
            Self::Any => "account",
        })
    }
}

/// Why the account is unclear.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnclearAccount {
    /// The requested account is not configured or is of another kind.
    #[error("{appid} is not a configured {kind}")]
    Unknown {
        /// The requested kind.
        kind: AccountKind,
        /// The requested account.
        appid: AppId,
        /// The configured accounts of that kind.
        known: Vec<AppId>,
    },
    /// No account was requested, and there is not exactly one.
    #[error("{}", unnamed(*.kind, .parameter, .known))]
    Unnamed {
        /// The requested kind.
        kind: AccountKind,
        /// The name of the caller's parameter.
        parameter: &'static str,
        /// The configured accounts of that kind.
        known: Vec<AppId>,
    },
}

fn unnamed(kind: AccountKind, parameter: &str, known: &[AppId]) -> String {
    match known {
        [] => format!("no {kind} is configured"),
        _ => format!("`{parameter}` is required when several {kind}s are configured"),
    }
}

impl UnclearAccount {
    /// What to do about it.
    pub fn hint(&self) -> String {
        let (Self::Unknown { known, .. } | Self::Unnamed { known, .. }) = self;
        match known.as_slice() {
            [] => "none is configured".to_owned(),
            known => {
                let known: Vec<_> = known.iter().map(AppId::as_str).collect();
                format!("configured: {}", known.join(", "))
            }
        }
    }
}

impl AccountKind {
    /// Chooses the requested account, or the only one in `known` if none is requested. `parameter`
    /// is the name of the caller's parameter.
    pub fn choose<'a>(
        self,
        known: impl Iterator<Item = &'a AppId> + Clone,
        requested: Option<&AppId>,
        parameter: &'static str,
    ) -> Result<&'a AppId, UnclearAccount> {
        let mut all = known.clone();
        match (requested, all.next(), all.next()) {
            (Some(requested), ..) => {
                let found = known.clone().find(|appid| *appid == requested);
                found.ok_or_else(|| self.unknown(known, requested))
            }
            (None, Some(only), None) => Ok(only),
            (None, ..) => {
                let known = known.cloned().collect();
                Err(UnclearAccount::Unnamed { kind: self, parameter, known })
            }
        }
    }

    /// The error for an account that is not in `known`.
    pub fn unknown<'a>(
        self,
        known: impl Iterator<Item = &'a AppId>,
        requested: &AppId,
    ) -> UnclearAccount {
        let (appid, known) = (requested.clone(), known.cloned().collect());
        UnclearAccount::Unknown { kind: self, appid, known }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn appids(texts: &[&str]) -> Vec<AppId> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_named_account_or_the_only_account_is_chosen() {
        let (one, two) = (appids(&["wxa"]), appids(&["wxa", "wxb"]));
        let kind = AccountKind::OfficialAccount;
        assert_eq!(kind.choose(one.iter(), None, "to"), Ok(&one[0]));
        assert_eq!(kind.choose(two.iter(), Some(&two[1]), "to"), Ok(&two[1]));
    }

    #[test]
    fn a_missing_or_unknown_account_is_reported_by_name() {
        let (none, two, other) = (appids(&[]), appids(&["wxa", "wxb"]), appids(&["wxc"]));
        let kind = AccountKind::OfficialAccount;
        let unnamed = kind.choose(two.iter(), None, "to").unwrap_err();
        let needed = "`to` is required when several Official Accounts are configured";
        assert_eq!(unnamed.to_string(), needed);
        assert_eq!(unnamed.hint(), "configured: wxa, wxb");
        let unknown = AccountKind::MiniProgram.choose(two.iter(), Some(&other[0]), "appid");
        assert_eq!(unknown.unwrap_err().to_string(), "wxc is not a configured Mini Program");
        let unknown = AccountKind::Any.unknown(two.iter(), &other[0]);
        assert_eq!(unknown.to_string(), "wxc is not a configured account");
        let nobody = kind.choose(none.iter(), None, "to").unwrap_err();
        assert_eq!(nobody.to_string(), "no Official Account is configured");
        assert_eq!(nobody.hint(), "none is configured");
    }
}
