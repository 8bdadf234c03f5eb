//! Classifies errcodes by what the caller can do about them. The only such table.

/// What the caller can do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// WeChat or the network is busy: retry later.
    Transient,
    /// WeChat does not accept the access token.
    Token,
    /// A daily or monthly quota is used up: wait for its reset.
    Quota,
    /// Too many calls within the current minute.
    RateLimited,
    /// The account, its secret, its permissions or the network is misconfigured: stop the account's calls
    /// until an operator has acted.
    Config,
    /// The request is invalid: a bug in this service or in its API client.
    Caller,
    /// Concerns one user only, or an openid that does not belong to the account. On a batch: one of its
    /// openids. On `user/get`: the cursor.
    Person,
    /// The batch contains too many openids, or none.
    ListSize,
    /// Concerns one message template only.
    Template,
    /// WeChat accepted the same message before.
    Duplicate,
    /// WeChat has withdrawn the call.
    Retired,
    /// The answer cannot be decoded.
    Undecodable,
    /// The errcode is not in the table.
    Unknown,
}

impl Class {
    /// The class of an errcode on an ordinary call. Not for 0, which means success.
    pub fn of(errcode: i64) -> Self {
        match errcode {
            -1 => Self::Transient,
            40001 | 40014 | 41001 | 42001 => Self::Token,
            45009 | 48006 | 40038 => Self::Quota,
            45011 => Self::RateLimited,
            40032 => Self::ListSize,
            40241 => Self::Duplicate,
            41028 | 41029 | 45103 | 45109 | 46101 => Self::Retired,
            code if is_config(code) => Self::Config,
            code if is_person(code) => Self::Person,
            code if is_template(code) => Self::Template,
            code if is_caller(code) => Self::Caller,
            _ => Self::Unknown,
        }
    }

    /// The class of an errcode of a call with the AppSecret, where 40001 means that the secret is wrong.
    pub fn of_secret_endpoint(errcode: i64) -> Self {
        match Self::of(errcode) {
            Self::Token => Self::Config,
            class => class,
        }
    }

    /// The class of an errcode of a template message, where 40013 concerns the Mini Program that the message
    /// opens.
    pub fn of_template_send(errcode: i64) -> Self {
        match errcode {
            40013 => Self::Caller,
            errcode => Self::of(errcode),
        }
    }

    /// The class of an errcode of a subscribe message, where 40038 is the daily limit of one user.
    pub fn of_subscribe_send(errcode: i64) -> Self {
        match errcode {
            40038 => Self::Person,
            errcode => Self::of(errcode),
        }
    }
}

fn is_config(errcode: i64) -> bool {
    matches!(
        errcode,
        40013 | 40125 | 40243 // the appid or its secret
            | 40164 | 61004 | 89501 | 89503 | 89506 | 89507 // our IP address
            | 48001 | 48004 | 49001 | 50001 | 50002 | 50004 | 50007 // permissions, frozen accounts
            | 40091 | 42006 | 61003 | 61005..=61007 | 61009 | 61010 | 61023 | 61024 // third parties
            | 63178 | 89000..=89004 // migration, Open Platform binding
    )
}

fn is_person(errcode: i64) -> bool {
    matches!(
        errcode,
        40003 | 49003 // not an openid of this account
            | 42002 | 40030 | 42003 | 40029 | 40163 | 42007 | 87007 | 87009 // has to log in again
            | 40226 | 43019 | 65302 // blocked
            | 43004 | 46004 | 50005 // not a follower, does not exist
            | 43101 | 43108 | 43117 | 48002 | 89300 // refuses, too many messages, no such order
    )
}

/// Includes 43106 and 200011, which concern all templates of an account: they must not stop the account's
/// other calls, as [`Class::Config`] would. Each template is stopped when its own message is refused.
fn is_template(errcode: i64) -> bool {
    matches!(
        errcode,
        40036 | 40037 | 40249 | 43106 | 43107 | 43116 | 45013 | 45168 | 48011 | 200011 | 200013
    )
}

fn is_caller(errcode: i64) -> bool {
    matches!(
        errcode,
        40002 | 41002 | 41004 | 41008 | 41009 // a parameter is missing
            | 40033 | 47001 | 47002 | 47003 | 43001 | 43002 | 43003 | 44002 // body, verb, https
            | 40035 | 40097 | 40101 | 45002 // a bad or oversize argument
            | 40039 | 40066 | 40165 | 40166 | 41030 | 45014 | 45051 // the link of a message
            | 40102 | 43100 | 45026 | 45027 | 40246 | 200012 | 200014..=200021 // template management
            | 45056..=45059 | 45157..=45159 | 76001..=76004 | 76021 | 76022 | 87008
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_errcode_has_its_class() {
        for (errcode, class) in [
            (-1, Class::Transient),
            (42001, Class::Token),
            (45009, Class::Quota),
            (45011, Class::RateLimited),
            (48001, Class::Config),
            (89002, Class::Config),
            (47001, Class::Caller),
            (200017, Class::Caller),
            (40003, Class::Person),
            (40032, Class::ListSize),
            (40036, Class::Template),
            (40241, Class::Duplicate),
            (45109, Class::Retired),
            (999_999, Class::Unknown),
        ] {
            assert_eq!(Class::of(errcode), class, "{errcode}");
        }
    }

    #[test]
    fn an_errcode_of_one_message_is_not_an_account_error() {
        for (errcode, class) in [
            (-1, Class::Transient),
            (45011, Class::RateLimited),
            (45009, Class::Quota),
            (40241, Class::Duplicate),
            (43004, Class::Person),
            (43019, Class::Person),
            (43101, Class::Person),
            (43108, Class::Person),
            (43117, Class::Person),
            (48002, Class::Person),
            (50005, Class::Person),
            (40036, Class::Template),
            (40037, Class::Template),
            (40249, Class::Template),
            (43106, Class::Template),
            (43107, Class::Template),
            (43116, Class::Template),
            (45168, Class::Template),
            (47003, Class::Caller),
            (40039, Class::Caller),
            (40066, Class::Caller),
            (40165, Class::Caller),
            (40166, Class::Caller),
            (41030, Class::Caller),
            (45103, Class::Retired),
        ] {
            for class_of in [Class::of_template_send, Class::of_subscribe_send] {
                assert_eq!(class_of(errcode), class, "{errcode}");
            }
        }
        assert_eq!(Class::of_template_send(40013), Class::Caller);
        assert_eq!(Class::of_subscribe_send(40038), Class::Person);
    }

    #[test]
    fn a_wrong_secret_is_distinguished_from_a_stale_token() {
        assert_eq!(Class::of(40001), Class::Token);
        assert_eq!(Class::of_secret_endpoint(40001), Class::Config);
    }
}
