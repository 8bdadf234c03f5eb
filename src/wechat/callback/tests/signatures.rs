//! Which requests are accepted: signatures, modes, keys.

use super::*;

fn forged(outcome: Result<Notification, Error>) -> Forgery {
    match outcome.unwrap_err() {
        Error::Forged(forgery) => forgery,
        error => panic!("{error}"),
    }
}

#[test]
fn a_signed_url_check_is_answered_with_its_echostr() {
    let receiver = Receiver::new(APPID.parse().unwrap(), "AAAAA".into(), None).unwrap();
    for (timestamp, nonce, signature) in [
        ("1714036504", "1514711492", "f464b24fc39322e44b38aa78f5edd27bd1441696"),
        ("1714037059", "486452656", "899cf89e464efb63f54ddac96b0a0a235f53aa78"),
    ] {
        let text = format!(
            "signature={signature}&echostr=4375120948345356249&timestamp={timestamp}&nonce={nonce}"
        );
        let query: Query = text.parse().unwrap();
        assert_eq!(receiver.echo(&query).unwrap(), "4375120948345356249");
        let other = Query { nonce: Some("1".to_owned()), ..query.clone() };
        assert_eq!(receiver.echo(&other), Err(Forgery::Signature.into()));
        let silent = Query { echostr: None, ..query };
        assert_eq!(receiver.echo(&silent), Err(Forgery::Unsigned.into()));
    }
}

#[test]
fn a_plain_mode_push_is_authenticated_by_its_signature() {
    assert_eq!(signed().signature.unwrap(), "c44226f601d03ee0b1462f6900f4b9098fc24d43");
    assert_eq!(read(UNSUBSCRIBE).unwrap().event, Event::Unsubscribe);
    let unsigned = Query { signature: None, ..signed() };
    let broken = [b'<'; 9];
    assert_eq!(forged(plain().open(&unsigned, &broken)), Forgery::Unsigned);
    for nonce in [None, Some(String::new())] {
        let query = Query { nonce: nonce.clone(), ..signed() };
        let problem = if nonce.is_none() { Forgery::Unsigned } else { Forgery::Signature };
        assert_eq!(forged(plain().open(&query, &broken)), problem);
    }
    for signature in ["", "0", &"0".repeat(40), "C44226F601D03EE0B1462F6900F4B9098FC24D43"] {
        let query = Query { signature: Some((*signature).to_owned()), ..signed() };
        assert_eq!(forged(plain().open(&query, &broken)), Forgery::Signature);
        assert_eq!(plain().admit(&query), Err(Forgery::Signature.into()));
    }
}

#[test]
fn the_worked_example_of_safe_mode_opens() {
    let encrypted = "ebp7chXpiSfcmziNrB7W6b+fVPLkIT5IA2DseX8wopJ+bpYU6snhI8ZZcNwPMAKGLPUPDISc8Vo81XIKf6j\
        aWUGETql+xynSF7ixycN6MndduNXnj1+207eyZ5wyWTUElkLu0bOWnuEYZ1E0ecTKw9HqYlDat38f2Itr2pOSYyDGCm3\
        d+OrGq69evCJ1cuW3eZraGsHyIQUnW3maJZ14rZuRTB6NQD2I/6oizjTjKCrmyvA4CsvHIerZ8Ja7lsT6BJcapmRqVl7\
        9IcRXKfj0tOBEqGrgHmcuznuq+P0yf2thkN+14le1xxxcTi3DByKoZFcz67lZDxEwDty1hu4MiQ==";
    let query = signed_over(encrypted);
    let expected = "c52ee60d91fc016cd0ddc2925ef3efa3d89e149b";
    assert_eq!(query.msg_signature.as_deref(), Some(expected));
    assert_eq!(encrypt(UNSUBSCRIBE.as_bytes(), [b'R'; 16]), encrypted);
    let notification = safe().open(&query, in_xml(encrypted).as_bytes()).unwrap();
    assert_eq!(notification.to, "gh_0123456789ab");
    assert_eq!(notification.person().unwrap().as_str(), "oTESTopenid0000000000000001");
    assert_eq!((notification.created_at, notification.event), (1_700_000_000, Event::Unsubscribe));
    let in_json = format!(r#" {{"ToUserName":"gh_1","Encrypt":"{encrypted}"}}"#);
    assert!(safe().open(&query, in_json.as_bytes()).is_ok());
}

#[test]
fn a_message_that_fills_its_blocks_opens() {
    let encrypted = "ebp7chXpiSfcmziNrB7W6eLGWwNcSiYe/QZdWiVQkrXlDMt5D0/r7muTWQ0Feq3JzIGEZYuxnVauqZ3YC8b2F\
        AGxUMvnb+9udFsmaz8ya0asmrY2sRhgELXLUaFogwcOpAQtYzPf9RQHu0KpiaR/xIfsE1WkfRu/48mp9U4hFDs=";
    let key = aes_key::AesKey::read(&AES_KEY.into()).unwrap();
    assert_eq!(key.open(encrypted, &APPID.parse().unwrap()).unwrap(), [b'x'; 58]);
}

#[test]
fn plain_pushes_are_rejected_if_a_key_is_configured() {
    let encrypted = encrypt(UNSUBSCRIBE.as_bytes(), [7; 16]);
    assert_eq!(forged(safe().open(&signed(), UNSUBSCRIBE.as_bytes())), Forgery::Plain);
    let raw = Query { encrypt_type: Some("raw".to_owned()), ..signed_over(&encrypted) };
    assert_eq!(forged(safe().open(&raw, in_xml(&encrypted).as_bytes())), Forgery::Plain);
    // A query that is valid for another request does not authenticate a plain body.
    let query = signed_over(&encrypted);
    assert_eq!(forged(safe().open(&query, UNSUBSCRIBE.as_bytes())), Forgery::Plain);
    assert_eq!(safe().admit(&signed()), Err(Forgery::Plain.into()));
    assert_eq!(safe().admit(&query), Ok(()));
}

#[test]
fn the_encrypted_fields_are_used_in_compatible_mode() {
    let encrypted = encrypt(UNSUBSCRIBE.as_bytes(), [7; 16]);
    let body = xml(&format!("<Event>subscribe</Event><Encrypt>{encrypted}</Encrypt>"));
    let query = signed_over(&encrypted);
    assert_eq!(safe().open(&query, body.as_bytes()).unwrap().event, Event::Unsubscribe);
    let without_key = plain().open(&query, body.as_bytes()).unwrap();
    assert_eq!(without_key.event, Event::Subscribe { scene: None });
}

#[test]
fn the_query_of_a_safe_mode_push_is_verified_before_its_body() {
    let encrypted = encrypt(UNSUBSCRIBE.as_bytes(), [7; 16]);
    let query = || signed_over(&encrypted);
    for (query, problem) in [
        (Query { msg_signature: None, ..query() }, Forgery::Unsigned),
        (Query { timestamp: None, ..query() }, Forgery::Unsigned),
        (Query { nonce: None, ..query() }, Forgery::Unsigned),
        (Query { nonce: Some("43".to_owned()), ..query() }, Forgery::Signature),
        (Query { signature: Some("0".repeat(40)), ..query() }, Forgery::Signature),
    ] {
        assert_eq!(safe().admit(&query), Err(problem.into()));
        assert_eq!(forged(safe().open(&query, b"<")), problem);
    }
    // Without the plain signature, the signature over the body is sufficient.
    let query = Query { signature: None, encrypt_type: None, ..query() };
    assert!(safe().open(&query, in_xml(&encrypted).as_bytes()).is_ok());
    let other = encrypt(UNSUBSCRIBE.as_bytes(), [8; 16]);
    assert_eq!(forged(safe().open(&query, in_xml(&other).as_bytes())), Forgery::Signature);
}

#[test]
fn an_encrypted_push_without_a_configured_key_hints_to_set_one() {
    let encrypted = encrypt(UNSUBSCRIBE.as_bytes(), [7; 16]);
    let error = plain().open(&signed_over(&encrypted), in_xml(&encrypted).as_bytes()).unwrap_err();
    assert_eq!(error, Error::Forged(Forgery::Encrypted));
    assert!(error.is_forgery());
    assert!(error.hint().unwrap().starts_with("set encoding_aes_key"));
}

#[test]
fn weak_tokens_and_invalid_keys_are_rejected_and_not_shown() {
    let appid = || APPID.parse().unwrap();
    for token in ["", "ab", "with-hyphens", &"a".repeat(33)] {
        let outcome = Receiver::new(appid(), token.into(), None);
        assert_eq!(outcome.unwrap_err(), SetupError::Token, "{token}");
    }
    for key in ["", "short", &AES_KEY[1..], &format!("{AES_KEY}="), &"!".repeat(43)] {
        let outcome = Receiver::new(appid(), TOKEN.into(), Some(&SecretString::from(key)));
        assert_eq!(outcome.unwrap_err(), SetupError::EncodingAesKey, "{key}");
    }
    let shown = format!("{:?}", safe());
    assert!(!shown.contains(TOKEN) && !shown.contains(AES_KEY), "{shown}");
}
