//! What an operator can do about an error.

mod messages;

use super::{Class, Error, TokenError, TransportError, Upstream};

const CONTESTED: &str = "another system may be refreshing this AppID's token: let only one system hold it, \
     or have the others use stable_token or this service's central token";

const RESET_SECRET: &str = "compare appid and secret with WeChat's console (Settings and Development, Basic \
     Configuration; for a Mini Program: Development Management), or reset the AppSecret there";

/// The next step for this error; `None` where the error itself says it all or nothing can be done.
pub(super) fn of(error: &Error) -> Option<String> {
    if let Some(refusal) = error.login_refusal() {
        return Some(refusal.hint().to_owned());
    }
    match error {
        Error::TokenRefused { .. } | Error::Token(TokenError::Contested(_)) => {
            Some(CONTESTED.to_owned())
        }
        Error::Token(TokenError::Wechat(error)) => of(error),
        Error::Token(TokenError::Unavailable(_)) | Error::NotMade { .. } => None,
        Error::Refused { class, upstream, .. } => for_refusal(*class, upstream),
        Error::Status { status, .. } => for_status(*status).map(str::to_owned),
        Error::Transport { fault, .. } => for_fault(fault).map(str::to_owned),
        Error::Undecodable { .. } => Some(
            "if it stays so, something between here and WeChat may be answering in its place: look at \
             wechat.base_url and at proxies"
                .to_owned(),
        ),
    }
}

fn for_refusal(class: Class, upstream: &Upstream) -> Option<String> {
    let hint = match upstream.errcode {
        40164 | 61004 => return Some(allow_address(upstream)),
        40001 if class == Class::Config => RESET_SECRET,
        40125 => RESET_SECRET,
        40013 if class == Class::Config => {
            "the appid is unknown to WeChat: it is case-sensitive, `wx` and 16 characters, and not \
             the id of an Open Platform or enterprise account"
        }
        40243 => "the AppSecret was frozen by its owner: unfreeze or reset it in WeChat's console",
        48001 => {
            "the account may not use this call: it has to be verified, and of the right kind (a \
             Mini Program's appid cannot list followers)"
        }
        48004 | 50001 | 50002 | 50004 | 50007 => {
            "WeChat has restricted or frozen the account: see the notices in its console"
        }
        49001 => "the access token belongs to another appid: look at who else writes tokens",
        89501 => {
            "an administrator of the account was asked to allow this address: wait for the answer"
        }
        89503 => "an administrator of the account has to confirm calls from this address",
        89506 => "an administrator refused calls from this address: ask again after 24 hours",
        89507 => "an administrator refused calls from this address: ask again after 1 hour",
        61024 => "the account is managed by a third-party platform, which alone can get its tokens",
        40091 | 42006 | 61003 | 61005..=61010 | 61023 => {
            "the third-party platform's authorisation for this account is missing or has ended"
        }
        63178 => "the account that openids are migrated from is wrong or not migrated yet",
        89000..=89004 => {
            "bind the account to the Open Platform account at open.weixin.qq.com; without \
             it there are no unionids"
        }
        45009 => {
            "the day's calls are used up; WeChat counts from 0 again at midnight, UTC+8, and its \
             console can reset the count ten times a month"
        }
        48006 => "this month's resets are used up: wait for midnight, UTC+8",
        _ => return messages::of(class, upstream),
    };
    Some(hint.to_owned())
}

fn allow_address(upstream: &Upstream) -> String {
    let address = match upstream.seen_address() {
        Some(address) => address.to_string(),
        None => "the address this service calls from".to_owned(),
    };
    format!(
        "add {address} to the account's IP whitelist in WeChat's console (Settings and Development, \
         Basic Configuration)"
    )
}

fn for_status(status: u16) -> Option<&'static str> {
    match status {
        300..=399 => Some(
            "wechat.base_url leads to a redirect, which is not followed: name the final server",
        ),
        401 | 403 | 407 => Some("a proxy or gateway on the way to WeChat refuses this service"),
        404 => Some("wechat.base_url is not WeChat's API, or a gateway does not pass this path on"),
        412 => Some(
            "WeChat wants a Content-Length: a proxy on the way may be sending the body in chunks",
        ),
        _ => None,
    }
}

fn for_fault(fault: &TransportError) -> Option<&'static str> {
    match fault {
        TransportError::NameNotResolved => {
            Some("look at wechat.base_url and at this machine's name server")
        }
        TransportError::ConnectionRefused => Some("nothing listens there: look at wechat.base_url"),
        TransportError::NotConnected | TransportError::ConnectTimeout => Some(
            "look at this machine's way to the internet: a firewall may be closed towards WeChat",
        ),
        TransportError::Certificate(_) => Some(
            "the server may not be WeChat's: look at wechat.base_url, at this machine's clock, and at \
             proxies; a company gateway's authority can be added as an extra root",
        ),
        TransportError::Tls(_)
        | TransportError::BrokenTls(_)
        | TransportError::Timeout
        | TransportError::Broken
        | TransportError::TooLong => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_an_operator_has_to_mend_comes_with_a_hint() {
        for errcode in (0..100_000).filter(|&errcode| Class::of(errcode) == Class::Config) {
            let upstream = Upstream::new(errcode, "", std::iter::empty());
            assert!(for_refusal(Class::Config, &upstream).is_some(), "{errcode}");
        }
    }

    #[test]
    fn a_stale_token_is_not_blamed_on_the_secret() {
        let upstream = Upstream::new(40001, "invalid credential", std::iter::empty());
        assert_eq!(for_refusal(Class::Token, &upstream), None);
        assert!(for_refusal(Class::Config, &upstream).is_some());
    }
}
