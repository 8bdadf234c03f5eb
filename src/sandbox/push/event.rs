//! Events and messages that WeChat pushes, before they are serialized.

use super::message::{Fields, Value};
use super::{CallbackFormat, Context};

/// An event or a message for [`Account::push`](crate::sandbox::Account::push).
///
/// It is about one person, identified by number. Its other fields are WeChat's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    person: Option<u64>,
    created_at: Option<i64>,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Subscribe { scene: Option<String> },
    Unsubscribe,
    Scan { scene: String },
    TemplateSent { msgid: i64, status: String },
    UserInfoModified { revoke_info: String },
    AuthorizationRevoke { revoke_info: String },
    AuthorizationCancellation,
    SubscribeMsg { event: &'static str, list: &'static str, items: Vec<Fields> },
    Text { content: String },
    Named(String),
    Raw(Vec<u8>),
}

impl Event {
    fn of(person: u64, kind: Kind) -> Self {
        Self { person: Some(person), created_at: None, kind }
    }

    /// `subscribe`, not by a QR code.
    pub fn subscribe(person: u64) -> Self {
        Self::of(person, Kind::Subscribe { scene: None })
    }

    /// `subscribe` by a QR code with this scene: `EventKey` is `qrscene_` and the scene.
    pub fn subscribe_by(person: u64, scene: &str) -> Self {
        Self::of(person, Kind::Subscribe { scene: Some(scene.to_owned()) })
    }

    /// `unsubscribe`.
    pub fn unsubscribe(person: u64) -> Self {
        Self::of(person, Kind::Unsubscribe)
    }

    /// `SCAN`: a follower scanned a QR code with this scene.
    pub fn scan(person: u64, scene: &str) -> Self {
        Self::of(person, Kind::Scan { scene: scene.to_owned() })
    }

    /// `TEMPLATESENDJOBFINISH`: the outcome of a template message, such as `success`, `failed:user block` or
    /// `failed: system failed`.
    pub fn template_sent(person: u64, msgid: i64, status: &str) -> Self {
        Self::of(person, Kind::TemplateSent { msgid, status: status.to_owned() })
    }

    /// `user_info_modified`: the person changed personal data. `revoke_info` contains WeChat's numbers of the
    /// changed data, separated by commas.
    pub fn user_info_modified(person: u64, revoke_info: &str) -> Self {
        Self::of(person, Kind::UserInfoModified { revoke_info: revoke_info.to_owned() })
    }

    /// `user_authorization_revoke`: the person revoked an authorization. `revoke_info` contains WeChat's
    /// numbers of the revoked data, separated by commas.
    pub fn user_authorization_revoke(person: u64, revoke_info: &str) -> Self {
        Self::of(person, Kind::AuthorizationRevoke { revoke_info: revoke_info.to_owned() })
    }

    /// `user_authorization_cancellation`: the person cancelled their account with the company.
    pub fn user_authorization_cancellation(person: u64) -> Self {
        Self::of(person, Kind::AuthorizationCancellation)
    }

    /// `subscribe_msg_popup_event`: the person answered a prompt. `answers` contains template ids with
    /// `accept` or `reject`.
    pub fn subscribe_msg_popup(person: u64, answers: &[(&str, &str)]) -> Self {
        let items = answers.iter().map(|(template, answer)| {
            let mut item = choice(template, answer);
            // The prompt was shown in a page of the Mini Program.
            item.push(("PopupScene", Value::Text("0".to_owned())));
            item
        });
        let (event, list) = ("subscribe_msg_popup_event", "SubscribeMsgPopupEvent");
        Self::of(person, Kind::SubscribeMsg { event, list, items: items.collect() })
    }

    /// `subscribe_msg_change_event`: the person changed settings. `settings` contains template ids with their
    /// new setting, which is `reject`.
    pub fn subscribe_msg_change(person: u64, settings: &[(&str, &str)]) -> Self {
        let items = settings.iter().map(|(template, setting)| choice(template, setting));
        let (event, list) = ("subscribe_msg_change_event", "SubscribeMsgChangeEvent");
        Self::of(person, Kind::SubscribeMsg { event, list, items: items.collect() })
    }

    /// `subscribe_msg_sent_event`: the outcome of a subscribe message. Code 0 is `success`.
    pub fn subscribe_msg_sent(
        person: u64,
        template_id: &str,
        msgid: i64,
        (error_code, error_status): (i64, &str),
    ) -> Self {
        let item = vec![
            ("TemplateId", Value::Text(template_id.to_owned())),
            ("MsgID", Value::Text(msgid.to_string())),
            ("ErrorCode", Value::Text(error_code.to_string())),
            ("ErrorStatus", Value::Text(error_status.to_owned())),
        ];
        let (event, list) = ("subscribe_msg_sent_event", "SubscribeMsgSentEvent");
        Self::of(person, Kind::SubscribeMsg { event, list, items: vec![item] })
    }

    /// A text message from the person. It has a `MsgId` and no `Event`.
    pub fn text(person: u64, content: &str) -> Self {
        Self::of(person, Kind::Text { content: content.to_owned() })
    }

    /// An event with this name and only the common fields.
    pub fn named(person: u64, name: &str) -> Self {
        Self::of(person, Kind::Named(name.to_owned()))
    }

    /// A message with exactly these bytes, signed and encrypted as usual.
    pub fn raw(message: impl Into<Vec<u8>>) -> Self {
        Self { person: None, created_at: None, kind: Kind::Raw(message.into()) }
    }

    /// Sets `CreateTime` (Unix time in s). The default is the world's time when the push starts.
    pub fn at(self, created_at: i64) -> Self {
        Self { created_at: Some(created_at), ..self }
    }

    /// Returns the number of the person that the event is about.
    pub fn person(&self) -> Option<u64> {
        self.person
    }

    /// Returns the `Event`, or the `MsgType` if there is no `Event`; `raw` for a raw message.
    pub fn name(&self) -> &str {
        match &self.kind {
            Kind::Subscribe { .. } => "subscribe",
            Kind::Unsubscribe => "unsubscribe",
            Kind::Scan { .. } => "SCAN",
            Kind::TemplateSent { .. } => "TEMPLATESENDJOBFINISH",
            Kind::UserInfoModified { .. } => "user_info_modified",
            Kind::AuthorizationRevoke { .. } => "user_authorization_revoke",
            Kind::AuthorizationCancellation => "user_authorization_cancellation",
            Kind::SubscribeMsg { event, .. } => event,
            Kind::Text { .. } => "text",
            Kind::Named(name) => name,
            Kind::Raw(_) => "raw",
        }
    }

    /// Returns the message before encryption.
    pub(super) fn message(&self, context: &Context, format: CallbackFormat) -> Vec<u8> {
        if let Kind::Raw(bytes) = &self.kind {
            return bytes.clone();
        }
        let fields = self.fields(context, format);
        match format {
            CallbackFormat::Xml => super::message::xml(&fields),
            CallbackFormat::Json => super::message::json(&fields),
        }
    }

    /// Whether the event is about personal data. WeChat's platform sends such events, and a field names the
    /// person.
    fn is_about_personal_data(&self) -> bool {
        use Kind::{AuthorizationCancellation, AuthorizationRevoke, UserInfoModified};
        let kind = &self.kind;
        matches!(kind, UserInfoModified { .. } | AuthorizationRevoke { .. })
            || *kind == AuthorizationCancellation
    }

    fn fields(&self, context: &Context, format: CallbackFormat) -> Fields {
        let about_personal_data = self.is_about_personal_data();
        let from = if about_personal_data { &context.platform } else { &context.openid };
        let is_text = matches!(self.kind, Kind::Text { .. });
        let mut fields = vec![
            ("ToUserName", Value::Text(context.original_id.clone())),
            ("FromUserName", Value::Text(from.clone())),
            ("CreateTime", Value::Number(self.created_at.unwrap_or(context.now))),
            ("MsgType", Value::Text(if is_text { "text" } else { "event" }.to_owned())),
        ];
        if !is_text {
            fields.push(("Event", Value::Text(self.name().to_owned())));
        }
        if about_personal_data {
            fields.extend(self.subject(context, format));
        }
        fields.extend(self.own_fields(context));
        fields
    }

    /// Returns the fields that name the person. In WeChat's JSON samples, one key starts with a space and
    /// others are in lower case.
    fn subject(&self, context: &Context, format: CallbackFormat) -> Fields {
        let (openid, appid) = match (format, &self.kind) {
            (CallbackFormat::Json, Kind::AuthorizationRevoke { .. }) => (" OpenID", "AppID"),
            (CallbackFormat::Json, Kind::UserInfoModified { .. }) => ("openid", "appid"),
            _ => ("OpenID", "AppID"),
        };
        let mut fields = vec![(openid, Value::Text(context.openid.clone()))];
        fields.extend(context.unionid.clone().map(|unionid| ("UnionID", Value::Text(unionid))));
        fields.push((appid, Value::Text(context.appid.clone())));
        fields
    }

    fn own_fields(&self, context: &Context) -> Fields {
        let text = |text: &str| Value::Text(text.to_owned());
        let ticket = ("Ticket", text("gQH47joAAAAAAAAAASxodHRwOi8vd2VpeGluLnFxLmNvbS9x"));
        match &self.kind {
            Kind::Subscribe { scene: Some(scene) } => {
                vec![("EventKey", Value::Text(format!("qrscene_{scene}"))), ticket]
            }
            Kind::Scan { scene } => vec![("EventKey", text(scene)), ticket],
            Kind::Subscribe { scene: None } | Kind::Unsubscribe => vec![("EventKey", text(""))],
            Kind::TemplateSent { msgid, status } => {
                vec![("MsgID", Value::Number(*msgid)), ("Status", text(status))]
            }
            Kind::UserInfoModified { revoke_info } | Kind::AuthorizationRevoke { revoke_info } => {
                vec![("RevokeInfo", text(revoke_info))]
            }
            Kind::SubscribeMsg { list, items, .. } => {
                vec![(*list, Value::List(items.clone()))]
            }
            Kind::Text { content } => {
                vec![("Content", text(content)), ("MsgId", Value::Number(context.message_id))]
            }
            Kind::AuthorizationCancellation | Kind::Named(_) | Kind::Raw(_) => Vec::new(),
        }
    }
}

fn choice(template_id: &str, status: &str) -> Fields {
    vec![
        ("TemplateId", Value::Text(template_id.to_owned())),
        ("SubscribeStatusString", Value::Text(status.to_owned())),
    ]
}
