//! Hints for a message, a template or an industry that WeChat refused, for the operator or the sender.

use crate::wechat::{Class, Upstream};

/// Returns the hint for this errcode; `None` if it does not concern messages.
pub(in crate::wechat) fn of(class: Class, upstream: &Upstream) -> Option<String> {
    let errcode = upstream.errcode;
    if errcode == 47003 {
        return Some(for_value(upstream.field()));
    }
    let hint = match class {
        Class::Person => for_user(errcode),
        Class::Retired => Some(for_retired(errcode)),
        _ => for_sending(errcode)
            .or_else(|| for_jump(errcode))
            .or_else(|| for_templates(errcode))
            .or_else(|| for_subscribe_templates(errcode)),
    };
    hint.map(str::to_owned)
}

fn for_value(field: Option<&str>) -> String {
    let value = match field {
        Some(key) => format!("the value of `{key}`"),
        None => "a value of the message".to_owned(),
    };
    format!(
        "{value} is missing, empty, or not valid for its kind: the letters of a key name the kind, \
         such as `thing` for up to 20 characters"
    )
}

fn for_user(errcode: i64) -> Option<&'static str> {
    Some(match errcode {
        40003 => {
            "the openid does not belong to this account: a user has a different openid in every account"
        }
        40038 => "this user has reached the daily limit of messages of this long-term template",
        43108 => "two messages to this user were sent at the same time: send one after the other",
        43004 | 50005 => "this user does not follow the Official Account, or no longer does",
        43019 | 65302 => {
            "this user is on the account's blacklist: remove them from it in WeChat's console"
        }
        43101 => {
            "this user does not accept messages of this template: they switched it off or, for a \
             subscribe message, no acceptance is left; ask for one in the Mini Program \
             (wx.requestSubscribeMessage), each is valid for one message"
        }
        43117 => "this user has received too many messages recently: wait for minutes or hours",
        48002 => "this user does not accept messages from the account",
        _ => return None,
    })
}

fn for_retired(errcode: i64) -> &'static str {
    match errcode {
        41028 | 41029 => {
            "the form_id is wrong, older than seven days, or used. WeChat withdrew form_id \
             templates on 2020-01-10: use subscribe messages (message/subscribe/send, templates of \
             /wxaapi/newtmpl: `templates` without --legacy), or template messages of an Official Account"
        }
        45109 => {
            "WeChat withdrew uniform_send on 2023-09-20: use template messages of an Official Account, \
             with that account's own openid and token, or subscribe messages of the Mini Program \
             (message/subscribe/send, templates of /wxaapi/newtmpl: `templates` without --legacy)"
        }
        _ => {
            "WeChat withdrew form_id templates on 2020-01-10 (and uniform_send on 2023-09-20): use \
             subscribe messages (message/subscribe/send, templates of /wxaapi/newtmpl: `templates` \
             without --legacy), or template messages of an Official Account"
        }
    }
}

fn for_sending(errcode: i64) -> Option<&'static str> {
    Some(match errcode {
        40036 => "copy the whole template id, without spaces: it usually has 43 characters",
        40037 => {
            "the account has no such template: each account has its own template ids; list them, and \
             to add a template look up its number in WeChat's library"
        }
        40241 => "WeChat accepted the same message a moment ago: do not send it again",
        40249 | 45013 | 45168 => {
            "WeChat's content check blocked the message: look for sensitive words in its values"
        }
        43106 => {
            "WeChat has suspended the account's messages or templates for breaking its rules: see the \
             notices in its console"
        }
        43107 | 43116 | 48011 | 200_013 => {
            "WeChat has banned the template: see the notices in its console, and send another"
        }
        _ => return None,
    })
}

fn for_jump(errcode: i64) -> Option<&'static str> {
    Some(match errcode {
        // On other calls, 40013 concerns the account itself and has another class: see `hint/mod.rs`.
        40013 | 40166 => {
            "the Mini Program that the message opens must be linked to the Official Account and \
             released: compare `miniprogram.appid` with WeChat's console (Mini Program Management)"
        }
        40039 => "the URL that the message opens is too long",
        40066 | 45014 | 45051 => "WeChat does not allow messages to open this URL",
        40165 | 41030 => {
            "the Mini Program's released version has no such page: a path starts like \
             pages/index/index, without a leading slash"
        }
        _ => return None,
    })
}

fn for_templates(errcode: i64) -> Option<&'static str> {
    Some(match errcode {
        40102 => "WeChat has no industry with this number",
        40246 => {
            "a category template needs the names of its keywords, exactly as in WeChat's library and \
             in the order to show them"
        }
        43100 => "an account can change its industries once a month",
        45026 => "the account has reached its limit of templates: delete one",
        45027 => {
            "the template belongs to an industry that the account has not set: see `industry`, and the \
             categories in WeChat's console"
        }
        _ => return None,
    })
}

fn for_subscribe_templates(errcode: i64) -> Option<&'static str> {
    Some(match errcode {
        200_011 => {
            "WeChat has banned the account from subscribe messages: see the notices in its console"
        }
        200_012 => "the Mini Program has reached its limit of templates: delete one",
        200_014 => "WeChat's library has no template with this tid",
        200_016 => "the start is outside the list: the first entry is number 0",
        200_017 => "one page of the list has 1 to 30 templates",
        200_018 | 200_019 => "use categories of this Mini Program: list them first",
        200_020 => "give two to five of the template's keywords, by number",
        200_021 => "describe the purpose of the template in up to 15 characters",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(class_of: fn(i64) -> Class, errcode: i64, errmsg: &str) -> Option<String> {
        of(class_of(errcode), &Upstream::new(errcode, errmsg, std::iter::empty()))
    }

    #[test]
    fn every_send_and_template_errcode_has_a_hint() {
        let sends = [
            40003, 40036, 40037, 40039, 40066, 40165, 40166, 40241, 40249, 41030, 43004, 43019,
            43101, 43106, 43107, 43108, 43116, 43117, 45013, 45014, 45051, 45168, 47003, 48002,
            48011, 50005,
        ];
        let templates = [40102, 40246, 43100, 45026, 45027];
        let retired = [41028, 41029, 45103, 45109, 46101];
        // No page of WeChat documents 200015.
        let library = (200_011..=200_021).filter(|&errcode| errcode != 200_015);
        for errcode in [&sends[..], &templates, &retired].concat().into_iter().chain(library) {
            assert!(hint(Class::of, errcode, "").is_some(), "{errcode}");
        }
        assert_eq!(hint(Class::of, 999_999, ""), None);
    }

    #[test]
    fn the_hint_for_47003_names_the_invalid_value() {
        let named = hint(Class::of, 47003, "argument invalid! data.thing2.value invalid").unwrap();
        assert!(named.starts_with("the value of `thing2` is missing"), "{named}");
        assert!(hint(Class::of, 47003, "argument invalid!").unwrap().starts_with("a value of"));
    }

    #[test]
    fn the_template_send_hint_for_40013_is_about_the_linked_mini_program() {
        let linked = hint(Class::of_template_send, 40013, "invalid appid").unwrap();
        assert!(linked.contains("must be linked"), "{linked}");
    }

    #[test]
    fn the_hint_for_a_retired_call_names_its_replacement() {
        for errcode in [41028, 41029, 45103, 45109, 46101] {
            let hint = hint(Class::of, errcode, "").unwrap();
            for replacement in
                ["/wxaapi/newtmpl", "message/subscribe/send", "without --legacy", "Official"]
            {
                assert!(hint.contains(replacement), "{errcode}: {hint}");
            }
        }
    }
}
