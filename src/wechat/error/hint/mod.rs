//! Hints: what an operator can do about an error.

mod messages;

use crate::wechat::{Class, Error, TokenError, TransportError, Upstream};

const CONTESTED: &str = "another system may be refreshing this AppID's token: let only one system \
     refresh it, or have the others use stable_token or get the token from this service";

const RESET_SECRET: &str = "compare appid and secret with WeChat's console (Settings and Development, Basic \
     Configuration; for a Mini Program: Development Management), or reset the AppSecret there";

/// Returns the hint for this error; `None` if the error explains itself or an operator can do nothing.
pub(in crate::wechat) fn of(error: &Error) -> Option<String> {
    if let Some(refusal) = error.login_refusal() {
        return Some(refusal.hint().to_owned());
    }
    match error {
        Error::TokenRefused { .. } | Error::Token(TokenError::Contested(_)) => {
            Some(CONTESTED.to_owned())
        }
        Error::Token(TokenError::Wechat(error)) => of(error),
        Error::Token(TokenError::Unavailable(_)) | Error::NotSent { .. } => None,
        Error::Refused { class, upstream, .. } => for_refusal(*class, upstream),
        Error::Status { status, .. } => for_status(*status).map(str::to_owned),
        Error::Transport { fault, .. } => for_transport_error(fault).map(str::to_owned),
        Error::Undecodable { .. } => Some(
            "if this persists, something between this service and WeChat may be answering instead: \
             check wechat.base_url and any proxies"
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
            "WeChat does not know the appid: it is case-sensitive, consists of `wx` and 16 \
             characters, and is not the id of an Open Platform or enterprise account"
        }
        40243 => "the AppSecret was frozen by its owner: unfreeze or reset it in WeChat's console",
        48001 => {
            "the account is not allowed to use this call: it must be verified and of the right \
             type (a Mini Program's appid cannot list followers)"
        }
        48004 | 50001 | 50002 | 50004 | 50007 => {
            "WeChat has restricted or frozen the account: see the notices in WeChat's console"
        }
        49001 => {
            "the access token belongs to another appid: check which other system writes tokens"
        }
        89501 => {
            "WeChat has asked an administrator of the account to allow this address: wait for the \
             answer"
        }
        89503 => "an administrator of the account must confirm calls from this address",
        89506 => "an administrator refused calls from this address: try again after 24 hours",
        89507 => "an administrator refused calls from this address: try again after 1 hour",
        61024 => "a third-party platform manages the account, and only it can get the tokens",
        40091 | 42006 | 61003 | 61005..=61010 | 61023 => {
            "the third-party platform's authorisation for this account is missing or has expired"
        }
        63178 => "the account to migrate openids from is wrong, or its migration is not finished",
        89000..=89004 => {
            "bind the account to the Open Platform account at open.weixin.qq.com: without that, \
             WeChat returns no unionids"
        }
        45009 => {
            "today's quota for this call is used up: WeChat resets it at midnight UTC+8, and its \
             console can reset it earlier, up to ten times a month"
        }
        48006 => "this month's quota resets are used up: wait for midnight UTC+8",
        _ => return messages::of(class, upstream),
    };
    Some(hint.to_owned())
}

fn allow_address(upstream: &Upstream) -> String {
    let address = match upstream.seen_address() {
        Some(address) => address.to_string(),
        None => "the IP address of this service".to_owned(),
    };
    format!(
        "add {address} to the account's IP whitelist in WeChat's console (Settings and Development, \
         Basic Configuration)"
    )
}

fn for_status(status: u16) -> Option<&'static str> {
    match status {
        300..=399 => Some(
            "wechat.base_url redirects, and redirects are not followed: set it to the final URL",
        ),
        401 | 403 | 407 => {
            Some("a proxy or gateway between this service and WeChat refuses the request")
        }
        404 => Some("wechat.base_url is not WeChat's API, or a gateway does not forward this path"),
        412 => {
            Some("WeChat requires Content-Length: a proxy in between may send the body in chunks")
        }
        _ => None,
    }
}

fn for_transport_error(fault: &TransportError) -> Option<&'static str> {
    match fault {
        TransportError::NameNotResolved => {
            Some("check wechat.base_url and this machine's DNS resolver")
        }
        TransportError::ConnectionRefused => {
            Some("nothing listens at this address: check wechat.base_url")
        }
        TransportError::NotConnected | TransportError::ConnectTimeout => {
            Some("check this machine's internet connection: a firewall may block the way to WeChat")
        }
        TransportError::Certificate(_) => Some(
            "the server may not be WeChat's: check wechat.base_url, this machine's clock and any \
             proxies; for a company gateway, add its CA certificate with wechat.ca_file",
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
    fn every_configuration_errcode_has_a_hint() {
        for errcode in (0..100_000).filter(|&errcode| Class::of(errcode) == Class::Config) {
            let upstream = Upstream::new(errcode, "", std::iter::empty());
            assert!(for_refusal(Class::Config, &upstream).is_some(), "{errcode}");
        }
    }

    #[test]
    fn the_hint_for_40001_depends_on_the_error_class() {
        let upstream = Upstream::new(40001, "invalid credential", std::iter::empty());
        assert_eq!(for_refusal(Class::Token, &upstream), None);
        assert!(for_refusal(Class::Config, &upstream).is_some());
    }
}
