//! A push from an untrusted sender: the first line is the query, the rest the body.
//!
//! The body is also sent signed, and signed and encrypted, to reach the code after the signature check.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unionid_bridge::wechat::callback::{Error, Forgery, MAX_BODY_BYTES, Notification, Query};
use unionid_bridge_fuzz::{PLAIN, SAFE, encrypt, first_line, signed, signed_over};

fuzz_target!(|input: &[u8]| {
    let (query, body) = first_line(input);
    if let Ok(query) = query.parse::<Query>() {
        for receiver in [&PLAIN, &SAFE] {
            let _ = receiver.open(&query, body);
        }
    }
    let plain = PLAIN.open(&signed(), body);
    let encrypted = encrypt(body);
    let envelope = format!("<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>");
    let safe = SAFE.open(&signed_over(&encrypted), envelope.as_bytes());
    // Only for an envelope within an envelope, the results of the two modes may differ.
    if envelope.len() <= MAX_BODY_BYTES && plain != Err(Error::Forged(Forgery::Encrypted)) {
        assert_eq!(plain, safe, "encryption changes what is read");
    }
    plain.iter().for_each(check);
});

/// Asserts what must hold for every valid push.
fn check(push: &Notification) {
    assert_eq!(push.fingerprint().len(), 64);
    assert!(push.created_at >= 0);
    for text in [&push.to, &push.from] {
        assert!(!text.is_empty() && !text.contains(char::is_control), "{text:?}");
    }
    push.person();
}
