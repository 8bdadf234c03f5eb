//! What WeChat would refuse of a message, found before it is sent: every mistake at once.

use super::template_cache::Known;
use super::values::Rule;
use crate::model::{AppId, Content, TemplateId};
use crate::push::error::{Mistake, Refusal};

/// Keys that old templates had around their own, and that WeChat passes over.
const PASSED_OVER: [&str; 2] = ["first", "remark"];

/// The longest link that WeChat takes.
const LONGEST_URL: usize = 2_048;

/// The longest page that WeChat takes.
const LONGEST_PAGE: usize = 1_024;

/// Judges what is to be sent with a template of the account.
pub(super) fn check(
    sender: &AppId,
    template_id: &TemplateId,
    known: &Known,
    content: &Content,
) -> Result<(), Refusal> {
    let mut mistakes = Vec::new();
    match known {
        Known::Keys(keys) => compare(keys, content, &mut mistakes),
        Known::Unsure => {}
        Known::Nothing => {
            let (sender, template_id) = (sender.clone(), template_id.clone());
            return Err(Refusal::TemplateUnknown { sender, template_id });
        }
    }
    for (key, text) in &content.data {
        judge(key, &text.value, &mut mistakes);
    }
    judge_targets(content, &mut mistakes);
    if mistakes.is_empty() { Ok(()) } else { Err(Refusal::DataInvalid(mistakes)) }
}

/// Finds keys that are missing, and keys that the template has not.
fn compare(keys: &[String], content: &Content, mistakes: &mut Vec<Mistake>) {
    let data = &content.data;
    let is_needed = |key: &str| !data.contains_key(key) && !PASSED_OVER.contains(&key);
    for key in keys.iter().filter(|key| is_needed(key)) {
        note(mistakes, format!("data.{key}"), "is missing".to_owned());
    }
    let is_known = |key: &str| keys.iter().any(|known| known == key) || PASSED_OVER.contains(&key);
    for key in data.keys().filter(|key| !is_known(key)) {
        let problem = format!("is no key of this template, which has {}", keys.join(", "));
        note(mistakes, format!("data.{key}"), problem);
    }
}

fn judge(key: &str, text: &str, mistakes: &mut Vec<Mistake>) {
    let field = || format!("data.{key}");
    match Rule::of(key) {
        _ if PASSED_OVER.contains(&key) => {}
        _ if text.trim().is_empty() => note(mistakes, field(), "is empty".to_owned()),
        Some(rule) if !rule.allows(text) => note(mistakes, field(), format!("must be {rule}")),
        _ => {}
    }
}

fn judge_targets(content: &Content, mistakes: &mut Vec<Mistake>) {
    if let Some(url) = &content.url {
        let is_link = url.starts_with("https://") || url.starts_with("http://");
        if !is_link || url.len() > LONGEST_URL {
            let problem =
                format!("must be a link that begins with https://, of up to {LONGEST_URL} bytes");
            note(mistakes, "url".to_owned(), problem);
        }
    }
    let pagepath = content.miniprogram.as_ref().and_then(|jump| jump.pagepath.as_ref());
    for (field, page) in [("miniprogram.pagepath", pagepath), ("page", content.page.as_ref())] {
        let is_page = |page: &String| (1..=LONGEST_PAGE).contains(&page.len());
        if page.is_some_and(|page| !is_page(page)) {
            let problem = format!(
                "must be a path such as pages/order/order?id=1, of up to {LONGEST_PAGE} bytes"
            );
            note(mistakes, field.to_owned(), problem);
        }
    }
}

fn note(mistakes: &mut Vec<Mistake>, field: String, problem: String) {
    mistakes.push(Mistake { field, problem });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Jump, Text};

    fn checked(keys: &[&str], content: &Content) -> Vec<String> {
        let known = Known::Keys(keys.iter().map(|key| (*key).to_owned()).collect());
        let sender = "wx0a00000000000001".parse().unwrap();
        let template = "T1".parse().unwrap();
        match check(&sender, &template, &known, content) {
            Ok(()) => Vec::new(),
            Err(Refusal::DataInvalid(found)) => found.into_iter().map(|one| one.field).collect(),
            Err(other) => panic!("{other:?}"),
        }
    }

    fn saying(data: &[(&str, &str)]) -> Content {
        let text = |value: &str| Text { value: value.to_owned(), color: None };
        let data = data.iter().map(|(key, value)| ((*key).to_owned(), text(value))).collect();
        Content { data, ..Content::default() }
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let content = saying(&[("thing2", " "), ("time3", "soon"), ("thnig4", "x")]);
        let found = checked(&["thing2", "time3", "amount5"], &content);
        assert_eq!(found, ["data.amount5", "data.thnig4", "data.thing2", "data.time3"]);
    }

    #[test]
    fn what_fits_the_template_is_let_through_with_the_lines_of_old() {
        let content = saying(&[("first", ""), ("thing2", "雨伞"), ("remark", "thanks")]);
        assert_eq!(checked(&["thing2"], &content), [""; 0]);
        let content = saying(&[("thing2", "雨伞")]);
        assert_eq!(checked(&["first", "thing2", "remark"], &content), [""; 0]);
    }

    #[test]
    fn a_tap_leads_to_a_link_or_a_page() {
        let appid: AppId = "wx3b00000000000001".parse().unwrap();
        let jump = |pagepath: &str| {
            Some(Jump { appid: appid.clone(), pagepath: Some(pagepath.to_owned()) })
        };
        let content = Content {
            url: Some("ftp://x".to_owned()),
            miniprogram: jump(""),
            page: Some("p".repeat(1_025)),
            ..saying(&[])
        };
        assert_eq!(checked(&[], &content), ["url", "miniprogram.pagepath", "page"]);
        let content = Content {
            url: Some("https://example.com/x?a=b".to_owned()),
            miniprogram: jump("pages/a?id=1"),
            ..saying(&[])
        };
        assert_eq!(checked(&[], &content), [""; 0]);
    }
}
