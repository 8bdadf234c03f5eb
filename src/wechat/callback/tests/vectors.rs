//! Requests that another program encrypted. `wechatpy.json` describes how.

use serde_json::Value;

use super::*;

fn vectors() -> Value {
    serde_json::from_str(include_str!("wechatpy.json")).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

fn receiver(vectors: &Value) -> Receiver {
    let key = SecretString::from(text(vectors, "encoding_aes_key"));
    let appid = text(vectors, "appid").parse().unwrap();
    Receiver::new(appid, text(vectors, "token").into(), Some(&key)).unwrap()
}

fn query(vector: &Value) -> Query {
    let names = ["signature", "timestamp", "nonce", "msg_signature"];
    let pairs: Vec<_> = names.iter().map(|name| format!("{name}={}", text(vector, name))).collect();
    format!("{}&openid=o&encrypt_type=aes", pairs.join("&")).parse().unwrap()
}

fn expected(name: &str) -> Event {
    let consent = |template_id: &str, status: &str| Consent {
        template_id: template_id.to_owned(),
        status: status.to_owned(),
        scene: Some(2),
    };
    let subject = |unionid: Option<&str>| DataSubject {
        openid: "oTESTsubject000000000000001".parse().ok(),
        unionid: unionid.and_then(|unionid| unionid.parse().ok()),
        appid: APPID.parse().ok(),
    };
    match name {
        "subscribe" => Event::Subscribe { scene: None },
        "subscribe by code" => Event::Subscribe { scene: Some("店铺7".to_owned()) },
        "unsubscribe" => Event::Unsubscribe,
        "scan" => Event::Scan { scene: Some("42".to_owned()) },
        "receipt" => Event::TemplateSendJobFinish {
            msgid: 3_618_460_287_893_438_466,
            status: "failed:system failed".to_owned(),
        },
        "consents" => {
            Event::SubscribeMessagePopup(vec![consent("tA", "accept"), consent("tB", "reject")])
        }
        "delivery" => Event::SubscribeMessageSent(vec![Delivery {
            template_id: "tA".to_owned(),
            msgid: Some(1_864_323_726_461_255_680),
            error_code: 0,
            error_status: "success".to_owned(),
        }]),
        "revoke" => Event::UserAuthorizationRevoke(subject(Some("uTESTsubject01"))),
        "cancellation" => Event::UserAuthorizationCancellation(subject(None)),
        "message" => Event::Message,
        other => panic!("{other}"),
    }
}

#[test]
fn pushes_encrypted_by_another_implementation_open() {
    let vectors = vectors();
    let receiver = receiver(&vectors);
    let mut paddings = Vec::new();
    for vector in vectors["pushes"].as_array().unwrap() {
        let name = text(vector, "name");
        let notification = receiver.open(&query(vector), text(vector, "body").as_bytes()).unwrap();
        assert_eq!(notification.event, expected(name), "{name}");
        assert_eq!(notification.created_at, vector["created_at"].as_i64().unwrap(), "{name}");
        assert_eq!(notification.from, "oTESTopenid0000000000000001", "{name}");
        let plain = plain().open(&signed(), text(vector, "message").as_bytes()).unwrap();
        assert_eq!(plain, notification, "{name}");
        paddings.push(vector["pad"].as_u64().unwrap());
    }
    assert_eq!(paddings, (1..=32).collect::<Vec<_>>());
}

#[test]
fn invalid_pushes_from_another_implementation_are_rejected() {
    let vectors = vectors();
    let receiver = receiver(&vectors);
    for vector in vectors["bad"].as_array().unwrap() {
        let error = receiver.open(&query(vector), text(vector, "body").as_bytes()).unwrap_err();
        let problem = match error {
            Error::Forged(forgery) => format!("{forgery:?}"),
            Error::TooLong => "TooLong".to_owned(),
            Error::Malformed(_) => "Malformed".to_owned(),
        };
        assert_eq!(problem, text(vector, "problem"), "{}", text(vector, "name"));
        assert_eq!(error.is_forgery(), problem != "Malformed");
    }
}
