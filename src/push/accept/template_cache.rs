//! Caches the keys of an account's templates. Concurrent lookups share one call to WeChat.
//!
//! If WeChat is slow or unreachable, messages are accepted unchecked, and WeChat validates them
//! when they are sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::model::{Channel, TemplateId};
use crate::wechat;

/// How long fetched templates are valid.
const TTL: Duration = Duration::from_mins(10);

/// Minimum time between fetches, when a template is missing or the last fetch failed.
const REFETCH_DELAY: Duration = Duration::from_secs(5);

/// How long a message waits for a fetch.
const FETCH_TIMEOUT: Duration = Duration::from_secs(2);

/// The templates of one account.
#[derive(Default)]
pub(in crate::push) struct TemplateCache(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    keys: HashMap<TemplateId, Arc<[String]>>,
    fetched_at: Option<Instant>,
    attempted_at: Option<Instant>,
}

/// What is known of a template's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::push) enum TemplateKeys {
    /// The keys that a message must set.
    Known(Arc<[String]>),
    /// The account has no such template.
    NoSuchTemplate,
    /// WeChat did not return the template's keys, or could not be reached.
    Unavailable,
}

impl TemplateCache {
    /// Returns the keys of a template. Fetches the templates if the cache has no current entry.
    pub(in crate::push) async fn find(
        &self,
        channel: Channel,
        wechat: &wechat::Account,
        id: &TemplateId,
    ) -> TemplateKeys {
        let find = async {
            let mut entries = self.0.lock().await;
            if entries.needs_fetch(id) {
                entries.attempted_at = Some(Instant::now());
                match list(channel, wechat).await {
                    Ok(keys) => entries.replace(keys),
                    Err(error) => tracing::warn!(
                        app.id = %wechat.appid(), %error, hint = error.hint(),
                        "could not fetch the templates from WeChat; messages are accepted unchecked"
                    ),
                }
            }
            entries.find(id)
        };
        timeout(FETCH_TIMEOUT, find).await.unwrap_or(TemplateKeys::Unavailable)
    }

    /// Drops all entries, after the account's templates were changed.
    pub(in crate::push) async fn clear(&self) {
        *self.0.lock().await = Entries::default();
    }
}

impl Entries {
    fn needs_fetch(&self, id: &TemplateId) -> bool {
        let is_past = |at: Option<Instant>, time| at.is_none_or(|at| at.elapsed() > time);
        let is_cached = !is_past(self.fetched_at, TTL) && self.keys.contains_key(id);
        !is_cached && is_past(self.attempted_at, REFETCH_DELAY)
    }

    fn replace(&mut self, keys: HashMap<TemplateId, Arc<[String]>>) {
        self.keys = keys;
        self.fetched_at = Some(Instant::now());
    }

    fn find(&self, id: &TemplateId) -> TemplateKeys {
        match self.keys.get(id) {
            // WeChat omits the content of some templates.
            Some(keys) if keys.is_empty() => TemplateKeys::Unavailable,
            Some(keys) => TemplateKeys::Known(keys.clone()),
            // If the latest fetch failed, the template may have been added since the last
            // successful one.
            None if self.fetched_at.is_some() && self.fetched_at >= self.attempted_at => {
                TemplateKeys::NoSuchTemplate
            }
            None => TemplateKeys::Unavailable,
        }
    }
}

async fn list(
    channel: Channel,
    wechat: &wechat::Account,
) -> Result<HashMap<TemplateId, Arc<[String]>>, wechat::Error> {
    let owned = |keys: Vec<&str>| keys.into_iter().map(str::to_owned).collect();
    Ok(match channel {
        Channel::Template => {
            let templates = wechat.templates().await?.into_iter();
            templates.map(|found| (found.id.clone(), owned(found.keys()))).collect()
        }
        Channel::Subscribe => {
            let templates = wechat.subscribe_templates().await?.into_iter();
            templates.map(|found| (found.id.clone(), owned(found.keys()))).collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_unknown_only_if_wechats_latest_answer_lacks_it() {
        let id: TemplateId = "T1".parse().unwrap();
        let mut entries = Entries::default();
        assert_eq!(entries.find(&id), TemplateKeys::Unavailable);
        entries.attempted_at = Some(Instant::now());
        entries.replace(HashMap::new());
        assert_eq!(entries.find(&id), TemplateKeys::NoSuchTemplate);
        // A later fetch failed.
        entries.attempted_at = Some(Instant::now() + REFETCH_DELAY);
        assert_eq!(entries.find(&id), TemplateKeys::Unavailable);
    }
}
