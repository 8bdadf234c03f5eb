//! Checks a message's content against what WeChat accepts, and reports all mistakes at once.

use super::template_cache::TemplateKeys;
use super::values::Rule;
use crate::model::{AppId, Content, TemplateId};
use crate::push::error::{Mistake, Refusal};

/// Keys of legacy templates that WeChat ignores, whether present or not.
const IGNORED_KEYS: [&str; 2] = ["first", "remark"];

/// The longest link that WeChat accepts, in bytes.
const MAX_URL_LENGTH: usize = 2_048;

/// The longest page path that WeChat accepts, in bytes.
const MAX_PAGE_LENGTH: usize = 1_024;

/// Checks the content of a message against its template.
pub(super) fn check(
    sender: &AppId,
    template_id: &TemplateId,
    keys: &TemplateKeys,
    content: &Content,
) -> Result<(), Refusal> {
    let mut mistakes = Vec::new();
    match keys {
        TemplateKeys::Known(keys) => check_keys(keys, content, &mut mistakes),
        TemplateKeys::Unavailable => {}
        TemplateKeys::NoSuchTemplate => {
            let (sender, template_id) = (sender.clone(), template_id.clone());
            return Err(Refusal::TemplateUnknown { sender, template_id });
        }
    }
    for (key, text) in &content.data {
        check_value(key, &text.value, &mut mistakes);
    }
    check_targets(content, &mut mistakes);
    if mistakes.is_empty() { Ok(()) } else { Err(Refusal::DataInvalid(mistakes)) }
}

/// Finds missing keys, and keys that the template does not have.
fn check_keys(keys: &[String], content: &Content, mistakes: &mut Vec<Mistake>) {
    let data = &content.data;
    let is_missing = |key: &str| !data.contains_key(key) && !IGNORED_KEYS.contains(&key);
    for key in keys.iter().filter(|key| is_missing(key)) {
        push_mistake(mistakes, format!("data.{key}"), "is missing".to_owned());
    }
    let is_known = |key: &str| keys.iter().any(|known| known == key) || IGNORED_KEYS.contains(&key);
    for key in data.keys().filter(|key| !is_known(key)) {
        let problem = format!("is not a key of this template; its keys are {}", keys.join(", "));
        push_mistake(mistakes, format!("data.{key}"), problem);
    }
}

fn check_value(key: &str, text: &str, mistakes: &mut Vec<Mistake>) {
    let field = || format!("data.{key}");
    match Rule::of(key) {
        _ if IGNORED_KEYS.contains(&key) => {}
        _ if text.trim().is_empty() => push_mistake(mistakes, field(), "is empty".to_owned()),
        Some(rule) if !rule.allows(text) => {
            push_mistake(mistakes, field(), format!("must be {rule}"))
        }
        _ => {}
    }
}

fn check_targets(content: &Content, mistakes: &mut Vec<Mistake>) {
    if let Some(url) = &content.url {
        let is_link = url.starts_with("https://") || url.starts_with("http://");
        if !is_link || url.len() > MAX_URL_LENGTH {
            let problem =
                format!("must be an https:// or http:// link of at most {MAX_URL_LENGTH} bytes");
            push_mistake(mistakes, "url".to_owned(), problem);
        }
    }
    let pagepath = content.miniprogram.as_ref().and_then(|jump| jump.pagepath.as_ref());
    for (field, page) in [("miniprogram.pagepath", pagepath), ("page", content.page.as_ref())] {
        let is_page = |page: &String| (1..=MAX_PAGE_LENGTH).contains(&page.len());
        if page.is_some_and(|page| !is_page(page)) {
            let problem = format!(
                "must be a path such as pages/order/order?id=1, of at most {MAX_PAGE_LENGTH} bytes"
            );
            push_mistake(mistakes, field.to_owned(), problem);
        }
    }
}

fn push_mistake(mistakes: &mut Vec<Mistake>, field: String, problem: String) {
    mistakes.push(Mistake { field, problem });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Jump, Text};

    fn checked(keys: &[&str], content: &Content) -> Vec<String> {
        let keys = TemplateKeys::Known(keys.iter().map(|key| (*key).to_owned()).collect());
        let sender = "wx0a00000000000001".parse().unwrap();
        let template = "T1".parse().unwrap();
        match check(&sender, &template, &keys, content) {
            Ok(()) => Vec::new(),
            Err(Refusal::DataInvalid(found)) => {
                found.into_iter().map(|mistake| mistake.field).collect()
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    fn content_of(data: &[(&str, &str)]) -> Content {
        let text = |value: &str| Text { value: value.to_owned(), color: None };
        let data = data.iter().map(|(key, value)| ((*key).to_owned(), text(value))).collect();
        Content { data, ..Content::default() }
    }

    #[test]
    fn all_invalid_fields_are_reported_at_once() {
        let content = content_of(&[("thing2", " "), ("time3", "soon"), ("thnig4", "x")]);
        let found = checked(&["thing2", "time3", "amount5"], &content);
        assert_eq!(found, ["data.amount5", "data.thnig4", "data.thing2", "data.time3"]);
    }

    #[test]
    fn legacy_first_and_remark_lines_are_optional() {
        let content = content_of(&[("first", ""), ("thing2", "雨伞"), ("remark", "thanks")]);
        assert_eq!(checked(&["thing2"], &content), [""; 0]);
        let content = content_of(&[("thing2", "雨伞")]);
        assert_eq!(checked(&["first", "thing2", "remark"], &content), [""; 0]);
    }

    #[test]
    fn the_url_miniprogram_path_and_page_are_validated() {
        let appid: AppId = "wx3b00000000000001".parse().unwrap();
        let jump = |pagepath: &str| {
            Some(Jump { appid: appid.clone(), pagepath: Some(pagepath.to_owned()) })
        };
        let content = Content {
            url: Some("ftp://x".to_owned()),
            miniprogram: jump(""),
            page: Some("p".repeat(1_025)),
            ..content_of(&[])
        };
        assert_eq!(checked(&[], &content), ["url", "miniprogram.pagepath", "page"]);
        let content = Content {
            url: Some("https://example.com/x?a=b".to_owned()),
            miniprogram: jump("pages/a?id=1"),
            ..content_of(&[])
        };
        assert_eq!(checked(&[], &content), [""; 0]);
    }
}
