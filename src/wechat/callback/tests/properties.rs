//! Property tests: no input causes a panic, and what was encrypted is what is parsed.

use proptest::prelude::*;

use super::*;

fn xml_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<xml>"),
        Just("</xml>"),
        Just("<Event>"),
        Just("</Event>"),
        Just("<List>"),
        Just("</List>"),
        Just("<![CDATA["),
        Just("]]>"),
        Just("subscribe"),
        Just("&amp;"),
        Just("&#"),
        Just(";"),
        Just("<!--"),
        Just("-->"),
        Just("<!DOCTYPE"),
        Just("<?xml"),
        Just("?>"),
        Just("/>"),
        Just("<a b='"),
        Just("'"),
        Just(">"),
        Just("店"),
        Just(" "),
        Just("\0"),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn json_like() -> impl Strategy<Value = String> {
    r#"\{[\{\}\[\]",:0-9eE.\\u a-z+-]{0,80}"#
}

fn parts(event: &str, key: &str, seconds: u32) -> String {
    xml(&format!("<Event>{event}</Event><EventKey><![CDATA[qrscene_{key}]]></EventKey>"))
        .replace("1700000000", &seconds.to_string())
}

proptest! {
    #[test]
    fn any_body_is_read_without_panic(bytes: Vec<u8>) {
        let _ = read(&bytes);
        let _ = safe().open(&signed_over(&STANDARD.encode(&bytes)), &bytes);
    }

    #[test]
    fn broken_xml_is_read_without_panic(body in xml_like()) {
        let _ = read(format!("<xml>{body}"));
        let _ = read(xml(&format!("<Event>subscribe_msg_sent_event</Event>{body}")));
    }

    #[test]
    fn broken_json_is_read_without_panic(body in json_like()) {
        let _ = read(&body);
        let _ = read(json(&format!(r#""Event":"subscribe_msg_sent_event","List":{body}"#)));
    }

    #[test]
    fn random_ciphertext_is_a_forgery(blocks in prop::collection::vec(any::<[u8; 16]>(), 0..8)) {
        let encrypted = STANDARD.encode(blocks.concat());
        let outcome = safe().open(&signed_over(&encrypted), in_xml(&encrypted).as_bytes());
        prop_assert!(outcome.unwrap_err().is_forgery());
    }

    #[test]
    fn any_decrypted_text_is_read_without_panic(message: Vec<u8>, random: [u8; 16]) {
        let encrypted = encrypt(&message, random);
        let key = aes_key::AesKey::read(&AES_KEY.into()).unwrap();
        prop_assert_eq!(key.open(&encrypted, &APPID.parse().unwrap()).unwrap(), message);
        let _ = safe().open(&signed_over(&encrypted), in_xml(&encrypted).as_bytes());
    }

    #[test]
    fn an_encrypted_push_round_trips(
        key in "[0-9a-zA-Z店铺&<>]{1,64}",
        seconds: u32,
        random: [u8; 16],
    ) {
        let encrypted = encrypt(parts("subscribe", &key, seconds).as_bytes(), random);
        let notification = safe().open(&signed_over(&encrypted), in_xml(&encrypted).as_bytes()).unwrap();
        prop_assert_eq!(notification.event, Event::Subscribe { scene: Some(key) });
        prop_assert_eq!(notification.created_at, i64::from(seconds));
    }

    #[test]
    fn an_altered_push_fails_its_signature(at in 0..400_usize, by in 1..64_u8) {
        let mut encrypted = encrypt(UNSUBSCRIBE.as_bytes(), [3; 16]).into_bytes();
        let query = signed_over(std::str::from_utf8(&encrypted).unwrap());
        let at = at % encrypted.len();
        encrypted[at] = b'A' + (encrypted[at].wrapping_sub(b'A').wrapping_add(by)) % 26;
        let altered = String::from_utf8(encrypted).unwrap();
        let outcome = safe().open(&query, in_xml(&altered).as_bytes());
        match outcome {
            Ok(_) => prop_assert_eq!(signed_over(&altered), query),
            Err(error) => prop_assert_eq!(error, Error::Forged(Forgery::Signature)),
        }
    }
}
