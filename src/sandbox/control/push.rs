//! Control routes for callbacks and pushes.
//!
//! Every event takes `person`, and `created_at` (Unix time in seconds; the default is now). The other
//! members depend on the event:
//!
//! | event | members |
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

use super::{ControlError, account, parse};
use crate::sandbox::push::{self as pushing, Callback, CallbackFormat, CallbackMode, Event};
use crate::sandbox::world::{Account, Kind, World};

fn bad_request(error: impl ToString) -> ControlError {
    (StatusCode::BAD_REQUEST, error.to_string())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CallbackBody {
    appid: Option<String>,
    url: String,
    token: Option<String>,
    encoding_aes_key: Option<String>,
    mode: Option<CallbackMode>,
    format: CallbackFormat,
}

impl CallbackBody {
    /// Builds the account's callback. A missing token or key is derived from the seed. The default mode is
    /// plain if only a token is given, otherwise safe.
    fn callback(&self, world: &World, account: &Account) -> Callback {
        let defaults = Callback::made(&self.url, world.seed(), &account.appid);
        let plain = self.token.is_some() && self.encoding_aes_key.is_none();
        let mode = if plain { CallbackMode::Plain } else { CallbackMode::Safe };
        let mode = self.mode.unwrap_or(mode);
        let key = self.encoding_aes_key.clone();
        Callback {
            token: self.token.clone().unwrap_or(defaults.token),
            encoding_aes_key: match mode {
                CallbackMode::Plain => key,
                _ => key.or(defaults.encoding_aes_key),
            },
            mode,
            format: self.format,
            url: defaults.url,
        }
    }
}

/// Sets the callback of one account or of all accounts and checks the URLs. From then on, events for
/// followers who join and leave are pushed too.
pub(super) async fn callback(world: &Arc<World>, body: &[u8]) -> Result<Value, ControlError> {
    let settings: CallbackBody = parse(body)?;
    let accounts = match &settings.appid {
        Some(appid) => vec![account(world, Some(appid), Kind::Official)?],
        None => world.accounts.iter().collect(),
    };
    let mut set = Vec::new();
    for account in accounts {
        let callback = settings.callback(world, account);
        let callback = callback.for_account(account.kind, &account.appid).map_err(bad_request)?;
        account.change(|state| state.callback = Some(callback.clone()));
        set.push((account, callback));
    }
    world.pushes_follows.store(true, Ordering::SeqCst);
    let mut callbacks = Vec::new();
    for (account, callback) in set {
        let mut result = json!(callback);
        result["appid"] = account.appid.as_str().into();
        result["check"] = match pushing::check(world, account).await {
            Ok(true) => "passed".into(),
            Ok(false) => "failed: the answer is not the echostr".into(),
            Err(error) => format!("failed: {error}").into(),
        };
        callbacks.push(result);
    }
    Ok(json!({"callbacks": callbacks}))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PushBody {
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

impl PushBody {
    fn event(&self) -> Event {
        let person = self.person;
        let status = |default| self.status.as_deref().unwrap_or(default);
        let revoke_info = self.revoke_info.as_deref().unwrap_or("1");
        let template = self.template_id.as_str();
        let event = match (self.event.as_str(), &self.scene) {
            ("subscribe", Some(scene)) => Event::subscribe_by(person, scene),
            ("subscribe", None) => Event::subscribe(person),
            ("unsubscribe", _) => Event::unsubscribe(person),
            ("SCAN", scene) => Event::scan(person, scene.as_deref().unwrap_or_default()),
            ("TEMPLATESENDJOBFINISH", _) => {
                Event::template_sent(person, self.msgid, status("success"))
            }
            ("user_info_modified", _) => Event::user_info_modified(person, revoke_info),
            ("user_authorization_revoke", _) => {
                Event::user_authorization_revoke(person, revoke_info)
            }
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

/// Pushes an event and waits until it is accepted or has failed.
pub(super) async fn push(world: &Arc<World>, body: &[u8]) -> Result<Value, ControlError> {
    let request: PushBody = parse(body)?;
    if request.event.is_empty() {
        return Err(bad_request(
            "event is missing; set it to the name of an event, such as subscribe",
        ));
    }
    let account = account(world, request.appid.as_deref(), Kind::Official)?;
    let push = pushing::deliver(world, account, &request.event()).await;
    Ok(json!(push.map_err(|error| (StatusCode::CONFLICT, error.to_string()))?))
}
