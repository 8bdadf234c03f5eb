//! The rules that single values keep.
//!
//! Each takes the text and gives the value, or what is wrong and what would be right. A rule for a
//! secret never quotes it; neither does the rule for an AppID, whose place a secret is put in by
//! mistake.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::DateTime;
use chrono_tz::{TZ_VARIANTS, Tz};
use croner::Cron;
use croner::parser::{CronParser, Seconds};
use tracing_subscriber::EnvFilter;

use super::mistake::{Fault, meant};
use crate::model::AppId;

/// Characters of an AppID: `wx` and 16 more.
const APPID_LENGTH: usize = 18;

/// Characters of an EncodingAESKey: 32 bytes in base64 without the padding.
const AES_KEY_LENGTH: usize = 43;

/// Bytes of a key for encryption at rest.
const KEY_LENGTH: usize = 32;

pub(super) fn appid(text: &str) -> Result<AppId, Fault> {
    let text = text.trim();
    let well_formed = text.len() == APPID_LENGTH
        && text.starts_with("wx")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let id = if well_formed { text.parse().ok() } else { None };
    id.ok_or_else(|| {
        let length = text.chars().count();
        Fault::new(format!(
            "is no AppID: wx and 16 letters and digits; this has {length} characters"
        ))
        .hint("WeChat's console shows it beside the AppSecret; gh_… is the original id, not it")
    })
}

pub(super) fn name(text: &str) -> Result<String, Fault> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 64 || text.chars().any(char::is_control) {
        return Err(Fault::new("must have 1 to 64 characters"));
    }
    Ok(text.to_owned())
}

pub(super) fn secret(text: &str) -> Result<(), Fault> {
    if text.is_empty() || text.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
        return Err(Fault::new("is empty or has a blank in it")
            .hint("an AppSecret is 32 letters and digits, shown once in WeChat's console"));
    }
    Ok(())
}

pub(super) fn callback_token(text: &str) -> Result<(), Fault> {
    let allowed = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if allowed && (3..=32).contains(&text.len()) {
        return Ok(());
    }
    Err(Fault::new("must be 3 to 32 letters and digits")
        .hint("the same Token as in the server configuration of WeChat's console"))
}

pub(super) fn encoding_aes_key(text: &str) -> Result<(), Fault> {
    let allowed = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte));
    if allowed && text.len() == AES_KEY_LENGTH {
        return Ok(());
    }
    let length = text.chars().count();
    Err(Fault::new(format!("must be {AES_KEY_LENGTH} letters and digits; this has {length}"))
        .hint("the same EncodingAESKey as in the server configuration of WeChat's console"))
}

pub(super) fn encryption_key(text: &str) -> Result<(), Fault> {
    let hint = "make one with: openssl rand -base64 32";
    match BASE64_STANDARD.decode(text) {
        Ok(bytes) if bytes.len() == KEY_LENGTH => Ok(()),
        Ok(bytes) => {
            let problem = format!("must be {KEY_LENGTH} bytes in base64, not {}", bytes.len());
            Err(Fault::new(problem).hint(hint))
        }
        Err(_) => Err(Fault::new("is not base64").hint(hint)),
    }
}

pub(super) fn readable_file(text: &str) -> Result<PathBuf, Fault> {
    let path = PathBuf::from(text);
    match std::fs::read(&path) {
        Ok(_) => Ok(path),
        Err(error) => Err(unreadable(&path, &error)),
    }
}

pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(format!("cannot read {}: {error}", path.display()))
        .hint("does the path exist, and may this process's user read it?")
}

pub(super) fn schedule(text: &str) -> Result<Cron, Fault> {
    let example = "second minute hour day month weekday: \"0 0 3 * * *\" is 03:00 every day";
    let fault = |error: &dyn Display| {
        let reason = error.to_string();
        Fault::new(format!("{text:?} is no schedule: {}", reason.trim_end_matches('.')))
            .hint(example)
    };
    let parser = CronParser::builder().seconds(Seconds::Required).build();
    let cron = parser.parse(text.trim()).map_err(|error| fault(&error))?;
    match cron.find_next_occurrence(&DateTime::UNIX_EPOCH, true) {
        Ok(_) => Ok(cron),
        Err(_) => Err(fault(&"no such moment ever comes")),
    }
}

pub(super) fn timezone(text: &str) -> Result<Tz, Fault> {
    text.trim().parse().map_err(|_| {
        let hint = match meant(text, TZ_VARIANTS.iter().map(|zone| zone.name())) {
            Some(zone) => format!("did you mean `{zone}`?"),
            None => "an IANA name, such as Asia/Shanghai or UTC".to_owned(),
        };
        Fault::new(format!("unknown time zone {text:?}")).hint(hint)
    })
}

pub(super) fn log_filter(text: &str) -> Result<String, Fault> {
    match EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(Fault::new(format!("is no log filter: {error}")).hint(
            "a level (error, warn, info, debug, trace), or \"info,unionid_bridge::sync=debug\"",
        )),
    }
}

/// One of a few words, each standing for a value.
pub(super) fn word<T: Copy>(words: &[(&str, T)]) -> impl FnOnce(&str) -> Result<T, Fault> {
    move |text| {
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let known: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            Fault::new(format!("must be {}, not {text:?}", known.join(" or ")))
        })
    }
}
