//! Callbacks and pushes from a command line.
//!
//! What an event takes besides `person`, and `created_at` (seconds) where it is not now:
//!
//! | event | takes |
//! |---|---|
//! | `subscribe` | `scene?` |
//! | `unsubscribe` | |
//! | `SCAN` | `scene` |
//! | `TEMPLATESENDJOBFINISH` | `msgid`, `status?` |
//! | `user_info_modified`, `user_authorization_revoke` | `revoke_info?` |
//! | `user_authorization_cancellation` | |
//! | `subscribe_msg_popup_event`, `subscribe_msg_change_event` | `template_id`, `status?` |
//! | `subscribe_msg_sent_event` | `template_id`, `msgid`, `error_code?`, `status?` |
//! | `text` | `content?` |
//! | `raw` | `content`: the message, byte for byte; no `person` |
//! | any other name | |

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Refused, account, read};
use crate::sandbox::push::{self as pushing, Callback, CallbackFormat, CallbackMode, Event};
use crate::sandbox::world::{Account, Kind, World};

fn bad(error: impl ToString) -> Refused {
    (StatusCode::BAD_REQUEST, error.to_string())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    appid: Option<String>,
    url: String,
    token: Option<String>,
    encoding_aes_key: Option<String>,
    mode: Option<CallbackMode>,
    format: CallbackFormat,
}

impl Wanted {
    /// What is left out the seed decides; a token alone is enough for plain mode.
    fn callback(&self, world: &World, account: &Account) -> Callback {
        let made = Callback::made(&self.url, world.seed(), &account.appid);
        let plain = self.token.is_some() && self.encoding_aes_key.is_none();
        let mode = if plain { CallbackMode::Plain } else { CallbackMode::Safe };
        let mode = self.mode.unwrap_or(mode);
        let key = self.encoding_aes_key.clone();
        Callback {
            token: self.token.clone().unwrap_or(made.token),
            encoding_aes_key: match mode {
                CallbackMode::Plain => key,
                _ => key.or(made.encoding_aes_key),
            },
            mode,
            format: self.format,
            url: made.url,
        }
    }
}

/// Sets the callback of one account or of all, and checks each. From then on who joins and leaves
/// is pushed, too.
pub(super) async fn callback(world: &Arc<World>, body: &[u8]) -> Result<Value, Refused> {
    let wanted: Wanted = read(body)?;
    let accounts = match &wanted.appid {
        Some(appid) => vec![account(world, Some(appid), Kind::Official)?],
        None => world.accounts.iter().collect(),
    };
    let mut set = Vec::new();
    for account in accounts {
        let callback = wanted.callback(world, account);
        let callback = callback.for_account(account.kind, &account.appid).map_err(bad)?;
        account.change(|state| state.callback = Some(callback.clone()));
        set.push((account, callback));
    }
    world.pushes_follows.store(true, Ordering::SeqCst);
    let mut callbacks = Vec::new();
    for (account, callback) in set {
        let mut told = json!(callback);
        told["appid"] = account.appid.as_str().into();
        told["check"] = match pushing::check(world, account).await {
            Ok(true) => "passed".into(),
            Ok(false) => "failed: the answer is not the echostr".into(),
            Err(error) => format!("failed: {error}").into(),
        };
        callbacks.push(told);
    }
    Ok(json!({"callbacks": callbacks}))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Pushed {
    appid: Option<String>,
    person: u64,
    event: String,
    scene: Option<String>,
    msgid: i64,
    status: Option<String>,
    revoke_info: Option<String>,
    template_id: String,
    error_code: i64,
    content: String,
    created_at: Option<i64>,
}

impl Pushed {
    fn event(&self) -> Event {
        let person = self.person;
        let status = |otherwise| self.status.as_deref().unwrap_or(otherwise);
        let revoked = self.revoke_info.as_deref().unwrap_or("1");
        let template = self.template_id.as_str();
        let event = match (self.event.as_str(), &self.scene) {
            ("subscribe", Some(scene)) => Event::subscribe_by(person, scene),
            ("subscribe", None) => Event::subscribe(person),
            ("unsubscribe", _) => Event::unsubscribe(person),
            ("SCAN", scene) => Event::scan(person, scene.as_deref().unwrap_or_default()),
            ("TEMPLATESENDJOBFINISH", _) => {
                Event::template_sent(person, self.msgid, status("success"))
            }
            ("user_info_modified", _) => Event::user_info_modified(person, revoked),
            ("user_authorization_revoke", _) => Event::user_authorization_revoke(person, revoked),
            ("user_authorization_cancellation", _) => {
                Event::user_authorization_cancellation(person)
            }
            ("subscribe_msg_popup_event", _) => {
                Event::subscribe_msg_popup(person, &[(template, status("accept"))])
            }
            ("subscribe_msg_change_event", _) => {
                Event::subscribe_msg_change(person, &[(template, status("reject"))])
            }
            ("subscribe_msg_sent_event", _) => {
                let outcome = (self.error_code, status("success"));
                Event::subscribe_msg_sent(person, template, self.msgid, outcome)
            }
            ("text", _) => Event::text(person, &self.content),
            ("raw", _) => Event::raw(self.content.as_bytes()),
            (other, _) => Event::named(person, other),
        };
        match self.created_at {
            Some(seconds) => event.at(seconds),
            None => event,
        }
    }
}

/// Pushes an event and waits for the end of it.
pub(super) async fn push(world: &Arc<World>, body: &[u8]) -> Result<Value, Refused> {
    let pushed: Pushed = read(body)?;
    if pushed.event.is_empty() {
        return Err(bad("event is missing, such as subscribe"));
    }
    let account = account(world, pushed.appid.as_deref(), Kind::Official)?;
    let told = pushing::deliver(world, account, &pushed.event()).await;
    Ok(json!(told.map_err(|error| (StatusCode::CONFLICT, error.to_string()))?))
}
