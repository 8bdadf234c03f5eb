//! What can be done about a message, a template or an industry that WeChat refused: by the operator, or
//! by who sends.

use crate::wechat::{Class, Upstream};

/// The next step; `None` for an errcode that has nothing to do with messages.
pub(super) fn of(class: Class, upstream: &Upstream) -> Option<String> {
    let errcode = upstream.errcode;
    if errcode == 47003 {
        return Some(for_value(upstream.field()));
    }
    let hint = match class {
        Class::Person => for_person(errcode),
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
        "{value} is missing, empty, or not as values of its kind have to be: the letters of a key name \
         the kind, such as `thing` for up to 20 characters"
    )
}

fn for_person(errcode: i64) -> Option<&'static str> {
    Some(match errcode {
        40003 => {
            "the openid is not one of this account's: every account knows a person by another openid"
        }
        40038 => "this person has had as many messages of the long-term template as a day allows",
        43108 => "two messages to one person were under way at once: send one after the other",
        43004 | 50005 => "this person does not follow the Official Account, or does so no longer",
        43019 | 65302 => {
            "this person is on the account's blacklist: WeChat's console takes them off it"
        }
        43101 => {
            "this person takes no messages of this template: it was switched off, or, for a subscribe \
             message, no acceptance is left; ask for one in the Mini Program \
             (wx.requestSubscribeMessage), each is good for one message"
        }
        43117 => "this person has had too many messages lately: wait for minutes or hours",
        48002 => "this person takes no messages from the account",
        _ => return None,
    })
}

fn for_retired(errcode: i64) -> &'static str {
    match errcode {
        41028 | 41029 => {
            "the form_id is wrong, older than seven days, or used. WeChat itself withdrew form_id \
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
        40036 => "a template id is copied whole, without blanks: 43 characters are usual",
        40037 => {
            "the account has no such template: each account has template ids of its own; list them, \
             and when adding one look its number up in WeChat's library"
        }
        40241 => "WeChat took the same message a moment ago: do not send it again",
        40249 | 45013 | 45168 => {
            "WeChat's check of contents stopped the message: look for sensitive words in its values"
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
        // On any other call it is about the account itself, and of another class: `hint.rs` has it.
        40013 | 40166 => {
            "the Mini Program that the message opens has to be linked to the Official Account and \
             released: compare `miniprogram.appid` with WeChat's console (Mini Program Management)"
        }
        40039 => "the URL that the message opens is too long",
        40066 | 45014 | 45051 => "WeChat does not let messages open this URL",
        40165 | 41030 => {
            "the Mini Program's released version has no such page: a path begins like pages/index/index, \
             without a slash in front"
        }
        _ => return None,
    })
}

fn for_templates(errcode: i64) -> Option<&'static str> {
    Some(match errcode {
        40102 => "WeChat has no line of business with this number",
        40246 => {
            "a template of a category needs its keywords' names, exactly as in WeChat's library, in the \
             order in which they are to stand"
        }
        43100 => "WeChat lets an account change its lines of business once a month",
        45026 => "the account has as many templates as it may have: delete one",
        45027 => {
            "the template belongs to a line of business that is not the account's: see `industry`, and \
             the categories in WeChat's console"
        }
        _ => return None,
    })
}

fn for_subscribe_templates(errcode: i64) -> Option<&'static str> {
    Some(match errcode {
        200_011 => {
            "WeChat has banned the account from subscribe messages: see the notices in its console"
        }
        200_012 => "the Mini Program has as many templates as it may have: delete one",
        200_014 => "WeChat's library has no template with this tid",
        200_016 => "the list has no such start: it begins with 0",
        200_017 => "a part of the list holds 1 to 30 templates",
        200_018 | 200_019 => "name categories of the Mini Program's own: it can list them",
        200_020 => "two to five of the template's keywords have to be named, by their numbers",
        200_021 => "say in up to 15 characters what the template is for",
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
    fn whoever_sends_is_told_what_to_do_about_each_refusal() {
        let sends = [
            40003, 40036, 40037, 40039, 40066, 40165, 40166, 40241, 40249, 41030, 43004, 43019,
            43101, 43106, 43107, 43108, 43116, 43117, 45013, 45014, 45051, 45168, 47003, 48002,
            48011, 50005,
        ];
        let templates = [40102, 40246, 43100, 45026, 45027];
        let retired = [41028, 41029, 45103, 45109, 46101];
        // No page says what 200015 means.
        let library = (200_011..=200_021).filter(|&errcode| errcode != 200_015);
        for errcode in [&sends[..], &templates, &retired].concat().into_iter().chain(library) {
            assert!(hint(Class::of, errcode, "").is_some(), "{errcode}");
        }
        assert_eq!(hint(Class::of, 999_999, ""), None);
    }

    #[test]
    fn a_value_that_breaks_its_rule_is_named() {
        let named = hint(Class::of, 47003, "argument invalid! data.thing2.value invalid").unwrap();
        assert!(named.starts_with("the value of `thing2` is missing"), "{named}");
        assert!(hint(Class::of, 47003, "argument invalid!").unwrap().starts_with("a value of"));
    }

    #[test]
    fn the_mini_program_that_a_message_opens_is_not_taken_for_the_account() {
        let linked = hint(Class::of_template_send, 40013, "invalid appid").unwrap();
        assert!(linked.contains("has to be linked"), "{linked}");
    }

    #[test]
    fn what_took_the_place_of_a_retired_call_is_named() {
        for errcode in [41028, 41029, 45103, 45109, 46101] {
            let hint = hint(Class::of, errcode, "").unwrap();
            for place in
                ["/wxaapi/newtmpl", "message/subscribe/send", "without --legacy", "Official"]
            {
                assert!(hint.contains(place), "{errcode}: {hint}");
            }
        }
    }
}
