//! How each event is parsed, in every form in which WeChat sends it.

use super::*;

fn event(body: String) -> Event {
    read(&body).unwrap_or_else(|error| panic!("{error}: {body}")).event
}

#[test]
fn a_follow_or_scan_event_contains_its_scene() {
    for (key, scene) in
        [("", None), ("qrscene_", None), ("qrscene_7", Some("7")), ("last_trade", None)]
    {
        let scene = scene.map(str::to_owned);
        let follow = Event::Subscribe { scene };
        assert_eq!(
            event(xml(&format!("<Event>subscribe</Event><EventKey>{key}</EventKey>"))),
            follow
        );
        assert_eq!(event(json(&format!(r#""Event":"subscribe","EventKey":"{key}""#))), follow);
    }
    let scan = Event::Scan { scene: Some("123".to_owned()) };
    assert_eq!(event(json(r#""Event":"SCAN","EventKey":123"#)), scan);
}

#[test]
fn receipt_statuses_are_normalized_across_wechats_spellings() {
    for (written, status) in [
        ("success", "success"),
        ("failed:user block", "failed:user block"),
        ("failed: system failed", "failed:system failed"),
        (" failed :  freq limit ", "failed:freq limit"),
    ] {
        for name in ["MsgID", "MsgId", "msgid"] {
            let fields = format!(
                "<Event>TEMPLATESENDJOBFINISH</Event><{name}>9223372036854775807</{name}>\
                 <Status><![CDATA[{written}]]></Status>"
            );
            let status = status.to_owned();
            let expected = Event::TemplateSendJobFinish { msgid: i64::MAX, status };
            assert_eq!(event(xml(&fields)), expected);
        }
    }
    for fields in
        ["<Status>success</Status>", "<MsgID>x</MsgID><Status>success</Status>", "<MsgID>1</MsgID>"]
    {
        assert!(read(xml(&format!("<Event>TEMPLATESENDJOBFINISH</Event>{fields}"))).is_err());
    }
}

#[test]
fn subscribe_consents_are_read_from_every_list_format() {
    let consent = |template_id: &str, status: &str| Consent {
        template_id: template_id.to_owned(),
        status: status.to_owned(),
        scene: None,
    };
    let one = r#"{"TemplateId":"a","SubscribeStatusString":"Accept"}"#;
    let two = r#"{"templateid":"b","SubscribeStatusString":"reject"}"#;
    for (list, count) in [
        (format!(r#""List":{one}"#), 1),
        (format!(r#""List":[{one}]"#), 1),
        (format!(r#""List":[{one},{two}]"#), 2),
        (format!(r#""SubscribeMsgPopupEvent":[{one},{two}]"#), 2),
        (format!(r#""SubscribeMsgPopupEvent":{one}"#), 1),
        (format!(r#""SubscribeMsgPopupEvent":{{"List":[{one},{two}]}}"#), 2),
        (r#""List":[]"#.to_owned(), 0),
        (r#""List":"""#.to_owned(), 0),
    ] {
        let all = [consent("a", "accept"), consent("b", "reject")];
        let body = json(&format!(r#""Event":"subscribe_msg_popup_event",{list}"#));
        assert_eq!(event(body), Event::SubscribeMessagePopup(all[..count].to_vec()), "{list}");
    }
    let rows = "<List><TemplateId>a</TemplateId>\
        <SubscribeStatusString>reject</SubscribeStatusString></List>";
    let body = format!(
        "<Event>subscribe_msg_change_event</Event>\
         <SubscribeMsgChangeEvent>{rows}{rows}</SubscribeMsgChangeEvent>"
    );
    let expected = Event::SubscribeMessageChange(vec![consent("a", "reject"); 2]);
    assert_eq!(event(xml(&body)), expected);
    assert!(consent("a", "accept").is_accepted() && !consent("a", "ban").is_accepted());
}

#[test]
fn a_subscribe_delivery_contains_its_msgid_and_error() {
    let row = "<List><TemplateId>a</TemplateId><MsgID>1700827132819554304</MsgID>\
        <ErrorCode>43101</ErrorCode><ErrorStatus>user refuse</ErrorStatus></List>";
    let body = format!(
        "<Event>subscribe_msg_sent_event</Event><SubscribeMsgSentEvent>{row}</SubscribeMsgSentEvent>"
    );
    let delivery = Delivery {
        template_id: "a".to_owned(),
        msgid: Some(1_700_827_132_819_554_304),
        error_code: 43_101,
        error_status: "user refuse".to_owned(),
    };
    assert_eq!(event(xml(&body)), Event::SubscribeMessageSent(vec![delivery]));
}

#[test]
fn a_user_data_event_concerns_its_data_subject_and_not_its_sender() {
    for (name, keys) in [
        ("user_info_modified", ["OpenID", "UnionID", "AppID"]),
        ("user_authorization_revoke", [" OpenID", "UnionID ", "appid"]),
        ("user_authorization_cancellation", ["openid", "unionid", "AppId"]),
    ] {
        let [openid, unionid, appid] = keys;
        let notification = read(json(&format!(
            r#""Event":"{name}","{openid}":"oSubject","{unionid}":"uSubject","{appid}":"wx01","RevokeInfo":"1""#
        )))
        .unwrap();
        let subject = notification.event.subject().unwrap();
        assert_eq!(subject.openid, "oSubject".parse().ok());
        assert_eq!(subject.unionid, "uSubject".parse().ok());
        assert_eq!(subject.appid, "wx01".parse().ok());
        assert_eq!(notification.person(), "oSubject".parse().ok());
    }
    let notification =
        read(xml("<Event>user_info_modified</Event><RevokeInfo>1</RevokeInfo>")).unwrap();
    assert_eq!(notification.event, Event::UserInfoModified(DataSubject::default()));
    assert_eq!(notification.person(), None);
}

#[test]
fn an_unknown_event_is_parsed_and_keeps_its_name() {
    let body =
        xml("<Event>wxa_media_check</Event><detail><a>1</a></detail><detail><a>2</a></detail>");
    let notification = read(body).unwrap();
    assert_eq!(
        (notification.person(), notification.event),
        (None, Event::Unknown("wxa_media_check".to_owned()))
    );
    let notification =
        read(json(r#""Event":"new\u0000","TemplateId":["a"],"EventKey":null,"x":{"y":[1.5]}"#));
    assert_eq!(notification.unwrap().event, Event::Unknown("new".to_owned()));
    let long = read(json(&format!(r#""Event":"{}""#, "店".repeat(1_000)))).unwrap();
    assert_eq!(long.event, Event::Unknown("店".repeat(128)));
}

#[test]
fn a_message_counts_as_user_activity() {
    let body = xml("<Content>hi</Content><MsgId>1</MsgId>").replace("[event]", "[text]");
    let notification = read(body).unwrap();
    assert_eq!((notification.person(), notification.event), ("oA".parse().ok(), Event::Message));
}
