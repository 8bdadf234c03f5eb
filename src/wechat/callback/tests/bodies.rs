//! Malicious and malformed bodies.

use std::time::{Duration, Instant};

use super::*;

fn malformed(body: impl AsRef<[u8]>) -> Malformed {
    let started = Instant::now();
    let outcome = read(body);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    match outcome.unwrap_err() {
        Error::Malformed(problem) => problem,
        error => panic!("{error}"),
    }
}

#[test]
fn any_document_type_is_rejected() {
    for start in [
        "<!DOCTYPE xml>",
        "<?xml version=\"1.0\"?>\n<!DOCTYPE xml SYSTEM \"http://127.0.0.1:1/x.dtd\">",
        "<!doctype xml [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>",
        "\n <!DOCTYPE xml [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>",
    ] {
        let body = format!("{start}{UNSUBSCRIBE}");
        assert_eq!(malformed(body), Malformed::DocumentType, "{start}");
    }
    let inside = UNSUBSCRIBE.replace("<MsgType>", "<!DOCTYPE a []><MsgType>");
    assert!(matches!(malformed(inside), Malformed::DocumentType | Malformed::Syntax));
}

#[test]
fn only_predefined_and_numeric_entities_are_accepted() {
    let scene =
        |text: &str| match read(xml(&format!("<Event>SCAN</Event><EventKey>{text}</EventKey>"))) {
            Ok(Notification { event: Event::Scan { scene }, .. }) => Ok(scene.unwrap()),
            other => Err(other.unwrap_err()),
        };
    assert_eq!(scene("&lt;&gt;&amp;&quot;&apos;&#24215;&#x94fa;").unwrap(), "<>&\"'店铺");
    assert_eq!(scene("<![CDATA[&lt;]]><![CDATA[]]]]><![CDATA[>]]>").unwrap(), "&lt;]]>");
    for text in ["&xxe;", "&nbsp;", "&#0;", "&#xD800;", "&#x110000;", "&#-1;", "&;"] {
        assert_eq!(scene(text), Err(Malformed::Entity.into()), "{text}");
    }
    assert_eq!(scene("a & b"), Err(Malformed::Syntax.into()));
}

#[test]
fn comments_and_processing_instructions_are_rejected() {
    let start = "<?xml version=\"1.0\"?>";
    assert!(read(format!("{start}\n{UNSUBSCRIBE}")).is_ok());
    for markup in ["<!-- -->", "<?php x?>", start] {
        let after_start = format!("{start}{markup}{UNSUBSCRIBE}");
        let inside = UNSUBSCRIBE.replace("<MsgType>", &format!("{markup}<MsgType>"));
        for body in [after_start, inside, format!("{UNSUBSCRIBE}{markup}")] {
            assert_eq!(malformed(&body), Malformed::Markup, "{body}");
        }
    }
}

#[test]
fn nesting_depth_and_field_count_are_limited() {
    let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(read(xml(&format!("<Event>x</Event>{}", nested(7)))).is_ok());
    assert_eq!(malformed(xml(&nested(8))), Malformed::Depth);
    assert_eq!(malformed("<a>".repeat(20_000)), Malformed::Depth);
    assert_eq!(malformed(xml(&"<a><b/></a>".repeat(2_000))), Malformed::Fields);
    let elements = |count: usize| (0..count).map(|number| format!("\n<a{number}> </a{number}>"));
    let with = |count| xml(&format!("<Event>x</Event>{}", elements(count).collect::<String>()));
    let max = fields::MAX_VALUES - "xml to from time type event".split(' ').count();
    assert!(read(with(max)).is_ok());
    assert_eq!(malformed(with(max + 1)), Malformed::Fields);

    let nested = |depth: usize| format!(r#""a":{}{}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(read(json(&format!(r#""Event":"x",{}"#, nested(7)))).is_ok());
    assert_eq!(malformed(json(&nested(8))), Malformed::Depth);
    assert_eq!(malformed(r#"{"a":"#.repeat(12_000)), Malformed::Depth);
    assert_eq!(malformed(json(&format!(r#""a":[{}1]"#, "1,".repeat(3_000)))), Malformed::Fields);
}

#[test]
fn too_many_references_or_cdata_sections_are_rejected() {
    let with = |text: &str| xml(&format!("<Event>x</Event><Content>{text}</Content>"));
    // A text message has at most 2,048 bytes.
    assert!(read(with(&"&amp;".repeat(2_048))).is_ok());
    for piece in ["&amp;", "&#38;", "&#38;x", "<![CDATA[]]>"] {
        assert_eq!(malformed(with(&piece.repeat(5_000))), Malformed::Pieces, "{piece}");
    }
}

#[test]
fn a_body_has_at_most_64_kib() {
    let filled = |length: usize| {
        let body = xml("<Event>x</Event><Content></Content>");
        let filling = "x".repeat(length - body.len());
        body.replace("<Content>", &format!("<Content>{filling}"))
    };
    assert!(read(filled(MAX_BODY_BYTES)).is_ok());
    assert_eq!(read(filled(MAX_BODY_BYTES + 1)), Err(Error::TooLong));
    assert_eq!(read("<a>".repeat(200_000)), Err(Error::TooLong));
    assert!(!Error::TooLong.is_forgery());
}

#[test]
fn a_duplicate_field_is_rejected() {
    for field in ["FromUserName", "fromusername", "Event", "Ticket"] {
        let twice = format!("<Event>x</Event><Ticket>1</Ticket><{field}>oB</{field}>");
        assert_eq!(malformed(xml(&twice)), Malformed::Duplicate, "{field}");
        let twice = format!(r#""Event":"x","Ticket":"1"," {field}":"oB""#);
        assert_eq!(malformed(json(&twice)), Malformed::Duplicate, "{field}");
    }
    let body = xml("<Event>x</Event><FromUserName><a/></FromUserName>");
    assert_eq!(malformed(body), Malformed::Field("FromUserName"));
}

#[test]
fn a_body_that_is_not_utf_8_is_rejected() {
    // 店 as GBK writes it.
    let gbk = [b"<xml><Content>".as_slice(), &[0xB5, 0xEA], b"</Content></xml>"].concat();
    assert_eq!(malformed(gbk), Malformed::Encoding);
    let utf_16: Vec<u8> = UNSUBSCRIBE.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(malformed([b"\xFF\xFE".as_slice(), &utf_16].concat()), Malformed::Encoding);
    assert!(read(format!("\u{FEFF}\n{UNSUBSCRIBE}\n")).is_ok());
}

#[test]
fn a_body_that_is_not_complete_xml_or_json_is_rejected() {
    for body in [
        "",
        "   ",
        "success",
        "[]",
        "{",
        "{}x",
        r#"{"a":1e999}"#,
        r#"{"a":"\ud800"}"#,
        "<",
        "<xml",
        "<xml>",
        "<xml></xlm>",
        "<xml/><xml/>",
        "<xml></xml>x",
        "x<xml></xml>",
        "<html></html>",
        "</xml>",
        "<xml><a></xml></a>",
    ] {
        assert_eq!(malformed(body), Malformed::Syntax, "{body}");
    }
}

#[test]
fn a_push_without_a_required_field_is_rejected() {
    let whole = json(r#""Event":"x""#);
    assert!(read(&whole).is_ok());
    for (from, to, problem) in [
        ("ToUserName", "x", Malformed::Missing("ToUserName")),
        ("oA", " ", Malformed::Missing("FromUserName")),
        ("CreateTime", "x", Malformed::Missing("CreateTime")),
        ("1700000000", "\"x\"", Malformed::Field("CreateTime")),
        ("1700000000", "-1", Malformed::Field("CreateTime")),
        ("1700000000", "1e30", Malformed::Field("CreateTime")),
        ("1700000000", "[]", Malformed::Field("CreateTime")),
        ("\"Event\"", "\"x\"", Malformed::Missing("Event")),
    ] {
        assert_eq!(malformed(whole.replacen(from, to, 1)), problem, "{from} {to}");
    }
    let body = r#"{"ToUserName":"gh_1","FromUserName":"oA","CreateTime":"1"}"#;
    assert_eq!(malformed(body), Malformed::Missing("MsgType"));
}

#[test]
fn an_error_does_not_quote_the_body() {
    for body in [
        xml("<canary>&canary;</canary>"),
        xml("<canary></canarie>"),
        json(r#""canary":"canary","canary":"canary""#),
        json("canary"),
        xml("<Event>TEMPLATESENDJOBFINISH</Event><MsgID>canary</MsgID>"),
        xml("<canary>").replace("</xml>", ""),
    ] {
        let error = read(body).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canar"), "{error}");
    }
}
