//! Validation of single values.
//!
//! Each rule takes the text and returns the value, or a fault with a hint. A rule for a secret never
//! quotes the text. Neither does the rule for AppIDs, because a secret may be put there by mistake.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::DateTime;
use chrono_tz::{TZ_VARIANTS, Tz};
use croner::Cron;
use croner::parser::{CronParser, Seconds};
use tracing_subscriber::EnvFilter;

use super::mistake::{Fault, most_similar};
use crate::model::AppId;

/// Length of an AppID in characters: `wx` and 16 more.
const APPID_LENGTH: usize = 18;

/// Length of an EncodingAESKey in characters: 32 bytes in base64 without padding.
const AES_KEY_LENGTH: usize = 43;

/// Length of a key for encryption at rest, in bytes.
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
            "is not an AppID (wx and 16 letters or digits): it has {length} characters"
        ))
        .hint("WeChat's console shows it next to the AppSecret; gh_… is the original id, not the AppID")
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
    if text.is_empty() || text.chars().any(|found| found.is_whitespace() || found.is_control()) {
        return Err(Fault::new("is empty or contains whitespace")
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
        .hint("copy the Token from the server configuration in WeChat's console"))
}

pub(super) fn encoding_aes_key(text: &str) -> Result<(), Fault> {
    let allowed = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte));
    if allowed && text.len() == AES_KEY_LENGTH {
        return Ok(());
    }
    let length = text.chars().count();
    Err(Fault::new(format!(
        "must be {AES_KEY_LENGTH} letters and digits: it has {length} characters"
    ))
    .hint("copy the EncodingAESKey from the server configuration in WeChat's console"))
}

pub(super) fn encryption_key(text: &str) -> Result<(), Fault> {
    let hint = "create one with: openssl rand -base64 32";
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
        .hint("check that the path exists and that this process's user may read it")
}

pub(super) fn schedule(text: &str) -> Result<Cron, Fault> {
    let example =
        "fields: second minute hour day month weekday; \"0 0 3 * * *\" is every day at 03:00";
    let fault = |error: &dyn Display| {
        let reason = error.to_string();
        Fault::new(format!("{text:?} is not a valid schedule: {}", reason.trim_end_matches('.')))
            .hint(example)
    };
    let parser = CronParser::builder().seconds(Seconds::Required).build();
    let cron = parser.parse(text.trim()).map_err(|error| fault(&error))?;
    match cron.find_next_occurrence(&DateTime::UNIX_EPOCH, true) {
        Ok(_) => Ok(cron),
        Err(_) => Err(fault(&"it never occurs")),
    }
}

pub(super) fn timezone(text: &str) -> Result<Tz, Fault> {
    text.trim().parse().map_err(|_| {
        let hint = match most_similar(text, TZ_VARIANTS.iter().map(|zone| zone.name())) {
            Some(zone) => format!("did you mean `{zone}`?"),
            None => "use an IANA name, such as Asia/Shanghai or UTC".to_owned(),
        };
        Fault::new(format!("unknown time zone {text:?}")).hint(hint)
    })
}

pub(super) fn log_filter(text: &str) -> Result<String, Fault> {
    match EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(Fault::new(format!("is not a valid log filter: {error}")).hint(
            "use a level (error, warn, info, debug, trace), or \"info,unionid_bridge::sync=debug\"",
        )),
    }
}

/// Returns a rule that accepts the given texts, each with its value.
pub(super) fn one_of<T: Copy>(choices: &[(&str, T)]) -> impl FnOnce(&str) -> Result<T, Fault> {
    move |text| {
        let found = choices.iter().find(|(choice, _)| *choice == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let known: Vec<_> = choices.iter().map(|(choice, _)| format!("\"{choice}\"")).collect();
            Fault::new(format!("must be {}, not {text:?}", known.join(" or ")))
        })
    }
}
