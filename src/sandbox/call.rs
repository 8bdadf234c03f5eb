//! The vendor's calls that the sandbox answers: their names, verbs and paths.
//!
//! One table, from which routing, counters, quotas, latencies and fault rules all take their names.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The verb that a call insists on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Anything else is answered with 43001.
    Get,
    /// Anything else is answered with 43002.
    Post,
}

/// A text that names none of the calls.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no call is named {0:?}; the sandbox knows {names}", names = Call::names())]
pub struct UnknownCall(String);

macro_rules! calls {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $verb:ident $path:literal;)+) => {
        /// A call of the vendor's API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Call {
            $($(#[$doc])* $variant,)+
        }

        impl Call {
            /// All of them.
            pub const ALL: &[Call] = &[$(Call::$variant,)+];
            /// How many there are.
            pub(crate) const COUNT: usize = Self::ALL.len();

            /// Its short name, such as `user/get`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// Its path below the base URL.
            pub fn path(self) -> &'static str {
                match self {
                    $(Self::$variant => $path,)+
                }
            }

            /// The call at a path, if any.
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
    /// Classic access token.
    Token = "token", Get "/cgi-bin/token";
    /// Stable access token.
    StableToken = "stable_token", Post "/cgi-bin/stable_token";
    /// A page of followers' openids.
    UserGet = "user/get", Get "/cgi-bin/user/get";
    /// One profile.
    UserInfo = "user/info", Get "/cgi-bin/user/info";
    /// Up to 100 profiles.
    UserInfoBatchget = "user/info/batchget", Post "/cgi-bin/user/info/batchget";
    /// What is left of a call's daily quota.
    QuotaGet = "openapi/quota/get", Post "/cgi-bin/openapi/quota/get";
    /// Resets all daily counters, by access token.
    ClearQuota = "clear_quota", Post "/cgi-bin/clear_quota";
    /// Resets all daily counters, by AppSecret.
    ClearQuotaV2 = "clear_quota/v2", Post "/cgi-bin/clear_quota/v2";
    /// Addresses of the API.
    ApiDomainIp = "get_api_domain_ip", Get "/cgi-bin/get_api_domain_ip";
    /// Addresses that pushes come from.
    CallbackIp = "getcallbackip", Get "/cgi-bin/getcallbackip";
    /// A Mini Program's login code becomes an openid.
    Jscode2session = "jscode2session", Get "/sns/jscode2session";
    /// A template message to a follower.
    TemplateSend = "template/send", Post "/cgi-bin/message/template/send";
    /// A subscribe message to a Mini Program's user.
    SubscribeSend = "subscribe/send", Post "/cgi-bin/message/subscribe/send";
    /// The account's templates.
    TemplateList = "template/get_all_private_template",
        Get "/cgi-bin/template/get_all_private_template";
    /// Adds a template to the account.
    TemplateAdd = "template/api_add_template", Post "/cgi-bin/template/api_add_template";
    /// Takes a template from the account.
    TemplateDelete = "template/del_private_template", Post "/cgi-bin/template/del_private_template";
    /// The account's industries.
    IndustryGet = "template/get_industry", Get "/cgi-bin/template/get_industry";
    /// Sets the account's industries.
    IndustrySet = "template/api_set_industry", Post "/cgi-bin/template/api_set_industry";
    /// A Mini Program's categories.
    NewtmplCategories = "newtmpl/getcategory", Get "/wxaapi/newtmpl/getcategory";
    /// Titles of the library for subscribe messages.
    NewtmplTitles = "newtmpl/getpubtemplatetitles", Get "/wxaapi/newtmpl/getpubtemplatetitles";
    /// Keywords of one title.
    NewtmplKeywords = "newtmpl/getpubtemplatekeywords",
        Get "/wxaapi/newtmpl/getpubtemplatekeywords";
    /// A Mini Program's templates.
    NewtmplList = "newtmpl/gettemplate", Get "/wxaapi/newtmpl/gettemplate";
    /// Makes a template of a title and some of its keywords.
    NewtmplAdd = "newtmpl/addtemplate", Post "/wxaapi/newtmpl/addtemplate";
    /// Takes a template from a Mini Program.
    NewtmplDelete = "newtmpl/deltemplate", Post "/wxaapi/newtmpl/deltemplate";
    /// Retired: titles of the old library.
    WxopenLibraryList = "wxopen/template/library/list",
        Post "/cgi-bin/wxopen/template/library/list";
    /// Retired: keywords of one title.
    WxopenLibraryGet = "wxopen/template/library/get", Post "/cgi-bin/wxopen/template/library/get";
    /// Retired: makes a template of a title and some of its keywords.
    WxopenAdd = "wxopen/template/add", Post "/cgi-bin/wxopen/template/add";
    /// Retired: a Mini Program's templates.
    WxopenList = "wxopen/template/list", Post "/cgi-bin/wxopen/template/list";
    /// Retired: takes a template from a Mini Program.
    WxopenDelete = "wxopen/template/del", Post "/cgi-bin/wxopen/template/del";
    /// Retired: a message for a form that the user submitted.
    WxopenSend = "wxopen/template/send", Post "/cgi-bin/message/wxopen/template/send";
    /// Retired: a message from either kind of account.
    UniformSend = "wxopen/template/uniform_send",
        Post "/cgi-bin/message/wxopen/template/uniform_send";
);

impl Call {
    fn names() -> String {
        let names: Vec<_> = Self::ALL.iter().map(|call| call.name()).collect();
        names.join(", ")
    }

    /// Whether the caller shows an access token; the rest show the AppSecret.
    pub(crate) fn takes_token(self) -> bool {
        use Call::{ClearQuotaV2, Jscode2session, StableToken, Token};
        !matches!(self, Token | StableToken | ClearQuotaV2 | Jscode2session)
    }

    /// Whether only an Official Account may make it.
    pub(crate) fn is_for_official_accounts(self) -> bool {
        self.name().starts_with("user/") || self.name().starts_with("template/")
    }

    /// Whether only a Mini Program may make it.
    pub(crate) fn is_for_mini_programs(self) -> bool {
        let begins = |prefix| self.name().starts_with(prefix);
        let retired = begins("wxopen/") && self != Self::UniformSend;
        retired || begins("subscribe/") || begins("newtmpl/")
    }

    /// `/sns/*` types its JSON as plain text; the rest name a parameter that no standard knows.
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

    /// Takes the short name or the whole path.
    fn from_str(text: &str) -> Result<Self, UnknownCall> {
        Self::ALL
            .iter()
            .copied()
            .find(|call| call.name() == text || call.path() == text)
            .ok_or_else(|| UnknownCall(text.to_owned()))
    }
}
