//! Which requests have the same fingerprint, and which do not.

use std::collections::BTreeSet;

use super::*;

fn fingerprint(body: &str) -> String {
    read(body).unwrap().fingerprint()
}

#[test]
fn a_repeated_push_has_the_same_fingerprint() {
    let first = encrypt(UNSUBSCRIBE.as_bytes(), [1; 16]);
    let again = encrypt(UNSUBSCRIBE.as_bytes(), [2; 16]);
    assert_ne!(first, again);
    let fingerprint_of = |encrypted: &str| {
        let notification = safe().open(&signed_over(encrypted), in_xml(encrypted).as_bytes());
        notification.unwrap().fingerprint()
    };
    assert_eq!(fingerprint_of(&first), fingerprint_of(&again));
    assert_eq!(fingerprint_of(&first), fingerprint(UNSUBSCRIBE));
    assert_eq!(fingerprint_of(&first).len(), 64);
}

#[test]
fn different_pushes_have_different_fingerprints() {
    let receipt = |msgid: u64| {
        xml(&format!(
            "<Event>TEMPLATESENDJOBFINISH</Event><MsgID>{msgid}</MsgID><Status>success</Status>"
        ))
    };
    let sent = |rows: &str| json(&format!(r#""Event":"subscribe_msg_sent_event",{rows}"#));
    let follow = xml("<Event>subscribe</Event><EventKey>qrscene_1</EventKey>");
    let revoke = json(r#""Event":"user_authorization_revoke","OpenID":"o1""#);
    let bodies = [
        receipt(1),
        receipt(2),
        receipt(1).replace("[oA]", "[oB]"),
        receipt(1).replace("[gh_1]", "[gh_2]"),
        receipt(1).replace("1700000000", "1700000001"),
        follow.replace("qrscene_1", "qrscene_2"),
        follow.replace("subscribe<", "SCAN<"),
        follow.replace("subscribe<", "unsubscribe<"),
        follow,
        sent(r#""List":{"TemplateId":"a","MsgID":1}"#),
        sent(r#""List":{"TemplateId":"a","MsgID":2}"#),
        sent(r#""List":[{"TemplateId":"a","MsgID":1},{"TemplateId":"b","MsgID":1}]"#),
        sent(r#""SubscribeMsgSentEvent":[{"TemplateId":"c","MsgID":1}]"#),
        revoke.replace("o1", "o2"),
        revoke.replace("OpenID", "UnionID"),
        revoke,
        xml("<MsgId>1</MsgId>").replace("[event]", "[text]"),
        xml("<MsgId>2</MsgId>").replace("[event]", "[text]"),
    ];
    let fingerprints: BTreeSet<_> = bodies.iter().map(|body| fingerprint(body)).collect();
    assert_eq!(fingerprints.len(), bodies.len());
}

#[test]
fn the_fingerprint_ignores_format_and_field_order() {
    let in_json = json(r#""Event":"SCAN","EventKey":"7","Ticket":"a""#);
    let in_xml = xml("<Ticket>b</Ticket><EventKey> 7</EventKey>\n<Event>SCAN</Event>");
    assert_eq!(fingerprint(&in_json), fingerprint(&in_xml));
}
