//! The WeChat API calls that the sandbox supports: names, HTTP methods and paths.
//!
//! Routing, counters, quotas, latencies and fault rules all take the names from this one table.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The HTTP method that a call requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Other methods are answered with errcode 43001.
    Get,
    /// Other methods are answered with errcode 43002.
    Post,
}

/// The text is not the name of a supported call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown call {0:?}; known calls: {names}", names = Call::names())]
pub struct UnknownCall(String);

macro_rules! calls {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $verb:ident $path:literal;)+) => {
        /// A call of the WeChat API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Call {
            $($(#[$doc])* $variant,)+
        }

        impl Call {
            /// All supported calls.
            pub const ALL: &[Call] = &[$(Call::$variant,)+];
            /// The number of supported calls.
            pub(crate) const COUNT: usize = Self::ALL.len();

            /// Returns the short name, such as `user/get`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// Returns the path under the base URL.
            pub fn path(self) -> &'static str {
                match self {
                    $(Self::$variant => $path,)+
                }
            }

            /// Returns the call with this path.
            pub(crate) fn at(path: &str) -> Option<Self> {
                match path {
                    $($path => Some(Self::$variant),)+
                    _ => None,
                }
            }

            pub(crate) fn verb(self) -> Verb {
                match self {
                    $(Self::$variant => Verb::$verb,)+
                }
            }
        }
    };
}

calls!(
    /// Gets a classic access token.
    Token = "token", Get "/cgi-bin/token";
    /// Gets the stable access token.
    StableToken = "stable_token", Post "/cgi-bin/stable_token";
    /// Gets a page of followers' openids.
    UserGet = "user/get", Get "/cgi-bin/user/get";
    /// Gets one profile.
    UserInfo = "user/info", Get "/cgi-bin/user/info";
    /// Gets up to 100 profiles.
    UserInfoBatchget = "user/info/batchget", Post "/cgi-bin/user/info/batchget";
    /// Gets the daily quota of a call and its usage.
    QuotaGet = "openapi/quota/get", Post "/cgi-bin/openapi/quota/get";
    /// Resets all daily counters, by access token.
    ClearQuota = "clear_quota", Post "/cgi-bin/clear_quota";
    /// Resets all daily counters, by AppSecret.
    ClearQuotaV2 = "clear_quota/v2", Post "/cgi-bin/clear_quota/v2";
    /// Lists the IP addresses of the API.
    ApiDomainIp = "get_api_domain_ip", Get "/cgi-bin/get_api_domain_ip";
    /// Lists the IP addresses that pushes come from.
    CallbackIp = "getcallbackip", Get "/cgi-bin/getcallbackip";
    /// Exchanges a Mini Program's login code for an openid.
    Jscode2session = "jscode2session", Get "/sns/jscode2session";
    /// Sends a template message to a follower.
    TemplateSend = "template/send", Post "/cgi-bin/message/template/send";
    /// Sends a subscribe message to a Mini Program's user.
    SubscribeSend = "subscribe/send", Post "/cgi-bin/message/subscribe/send";
    /// Lists the account's templates.
    TemplateList = "template/get_all_private_template",
        Get "/cgi-bin/template/get_all_private_template";
    /// Adds a template to the account.
    TemplateAdd = "template/api_add_template", Post "/cgi-bin/template/api_add_template";
    /// Deletes a template of the account.
    TemplateDelete = "template/del_private_template", Post "/cgi-bin/template/del_private_template";
    /// Gets the account's industries.
    IndustryGet = "template/get_industry", Get "/cgi-bin/template/get_industry";
    /// Sets the account's industries.
    IndustrySet = "template/api_set_industry", Post "/cgi-bin/template/api_set_industry";
    /// Lists a Mini Program's categories.
    NewtmplCategories = "newtmpl/getcategory", Get "/wxaapi/newtmpl/getcategory";
    /// Lists titles of the library for subscribe messages.
    NewtmplTitles = "newtmpl/getpubtemplatetitles", Get "/wxaapi/newtmpl/getpubtemplatetitles";
    /// Lists the keywords of one title.
    NewtmplKeywords = "newtmpl/getpubtemplatekeywords",
        Get "/wxaapi/newtmpl/getpubtemplatekeywords";
    /// Lists a Mini Program's templates.
    NewtmplList = "newtmpl/gettemplate", Get "/wxaapi/newtmpl/gettemplate";
    /// Creates a template from a title and some of its keywords.
    NewtmplAdd = "newtmpl/addtemplate", Post "/wxaapi/newtmpl/addtemplate";
    /// Deletes a template of a Mini Program.
    NewtmplDelete = "newtmpl/deltemplate", Post "/wxaapi/newtmpl/deltemplate";
    /// Retired: lists titles of the old library.
    WxopenLibraryList = "wxopen/template/library/list",
        Post "/cgi-bin/wxopen/template/library/list";
    /// Retired: lists the keywords of one title.
    WxopenLibraryGet = "wxopen/template/library/get", Post "/cgi-bin/wxopen/template/library/get";
    /// Retired: creates a template from a title and some of its keywords.
    WxopenAdd = "wxopen/template/add", Post "/cgi-bin/wxopen/template/add";
    /// Retired: lists a Mini Program's templates.
    WxopenList = "wxopen/template/list", Post "/cgi-bin/wxopen/template/list";
    /// Retired: deletes a template of a Mini Program.
    WxopenDelete = "wxopen/template/del", Post "/cgi-bin/wxopen/template/del";
    /// Retired: sends a message that uses a form the user submitted.
    WxopenSend = "wxopen/template/send", Post "/cgi-bin/message/wxopen/template/send";
    /// Retired: sends a message from an account of either kind.
    UniformSend = "wxopen/template/uniform_send",
        Post "/cgi-bin/message/wxopen/template/uniform_send";
);

impl Call {
    fn names() -> String {
        let names: Vec<_> = Self::ALL.iter().map(|call| call.name()).collect();
        names.join(", ")
    }

    /// Whether the caller authenticates with an access token. The other calls take the AppSecret.
    pub(crate) fn takes_token(self) -> bool {
        use Call::{ClearQuotaV2, Jscode2session, StableToken, Token};
        !matches!(self, Token | StableToken | ClearQuotaV2 | Jscode2session)
    }

    /// Whether only an Official Account may make this call.
    pub(crate) fn is_for_official_accounts(self) -> bool {
        self.name().starts_with("user/") || self.name().starts_with("template/")
    }

    /// Whether only a Mini Program may make this call.
    pub(crate) fn is_for_mini_programs(self) -> bool {
        let has_prefix = |prefix| self.name().starts_with(prefix);
        let retired = has_prefix("wxopen/") && self != Self::UniformSend;
        retired || has_prefix("subscribe/") || has_prefix("newtmpl/")
    }

    /// Returns the `Content-Type` of the response, as WeChat sends it: `/sns/*` sends JSON as plain text,
    /// and the other calls send a non-standard `encoding` parameter.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Jscode2session => "text/plain",
            _ => "application/json; encoding=utf-8",
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Call {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl FromStr for Call {
    type Err = UnknownCall;

    /// Parses the short name or the full path.
    fn from_str(text: &str) -> Result<Self, UnknownCall> {
        Self::ALL
            .iter()
            .copied()
            .find(|call| call.name() == text || call.path() == text)
            .ok_or_else(|| UnknownCall(text.to_owned()))
    }
}
