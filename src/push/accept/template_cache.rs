//! What keys an account's templates have, as WeChat last told: known for a while, asked for by nobody twice
//! at the same time.
//!
//! WeChat being slow or away never keeps a message from being accepted: it is unchecked then, and WeChat
//! judges it when it is sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::model::{Channel, TemplateId};
use crate::wechat;

/// How long what WeChat told is believed.
const FRESH: Duration = Duration::from_mins(10);

/// How soon WeChat is asked again: for a template that it did not name, or after it told nothing.
const AGAIN: Duration = Duration::from_secs(30);

/// How long a message waits to be checked.
const PATIENCE: Duration = Duration::from_secs(2);

/// The templates of one account.
#[derive(Default)]
pub(in crate::push) struct TemplateCache(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    keys: HashMap<TemplateId, Arc<[String]>>,
    told_at: Option<Instant>,
    asked_at: Option<Instant>,
}

/// What is known of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::push) enum Known {
    /// The keys that a message has to give.
    Keys(Arc<[String]>),
    /// The account has no such template.
    Nothing,
    /// WeChat has not told.
    Unsure,
}

impl TemplateCache {
    /// What is known of a template; WeChat is asked where that is not enough.
    pub(in crate::push) async fn find(
        &self,
        channel: Channel,
        wechat: &wechat::Account,
        id: &TemplateId,
    ) -> Known {
        let find = async {
            let mut shelf = self.0.lock().await;
            if shelf.is_to_ask(id) {
                shelf.asked_at = Some(Instant::now());
                match list(channel, wechat).await {
                    Ok(keys) => shelf.keep(keys),
                    Err(error) => tracing::warn!(
                        app.id = %wechat.appid(), %error, hint = error.hint(),
                        "WeChat did not tell its templates; messages are sent unchecked"
                    ),
                }
            }
            shelf.find(id)
        };
        timeout(PATIENCE, find).await.unwrap_or(Known::Unsure)
    }

    /// Forgets what WeChat told: the templates were changed.
    pub(in crate::push) async fn forget(&self) {
        *self.0.lock().await = Entries::default();
    }
}

impl Entries {
    fn is_to_ask(&self, id: &TemplateId) -> bool {
        let passed = |at: Option<Instant>, time| at.is_none_or(|at| at.elapsed() > time);
        let is_enough = !passed(self.told_at, FRESH) && self.keys.contains_key(id);
        !is_enough && passed(self.asked_at, AGAIN)
    }

    fn keep(&mut self, keys: HashMap<TemplateId, Arc<[String]>>) {
        self.keys = keys;
        self.told_at = Some(Instant::now());
    }

    fn find(&self, id: &TemplateId) -> Known {
        match self.keys.get(id) {
            // WeChat leaves the content of some templates out.
            Some(keys) if keys.is_empty() => Known::Unsure,
            Some(keys) => Known::Keys(keys.clone()),
            // What WeChat told before it was last asked may be out of date.
            None if self.told_at.is_some() && self.told_at >= self.asked_at => Known::Nothing,
            None => Known::Unsure,
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
    fn a_template_is_said_to_be_unknown_only_by_wechats_latest_word() {
        let id: TemplateId = "T1".parse().unwrap();
        let mut shelf = Entries::default();
        assert_eq!(shelf.find(&id), Known::Unsure);
        shelf.asked_at = Some(Instant::now());
        shelf.keep(HashMap::new());
        assert_eq!(shelf.find(&id), Known::Nothing);
        // Asked again, and not answered.
        shelf.asked_at = Some(Instant::now() + AGAIN);
        assert_eq!(shelf.find(&id), Known::Unsure);
    }
}
