//! The query of a push or of WeChat's URL check, which is verified before any body is read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unionid_bridge::wechat::callback::Query;
use unionid_bridge_fuzz::{PLAIN, SAFE, sign};

fuzz_target!(|input: &[u8]| {
    let Ok(query) = String::from_utf8_lossy(input).parse::<Query>() else {
        return;
    };
    let signature = right(&query);
    let is_right = signature.is_some() && query.signature == signature;
    assert_eq!(PLAIN.admit(&query).is_ok(), is_right, "{query:?}");
    assert_eq!(PLAIN.echo(&query).is_ok(), is_right && query.echostr.is_some(), "{query:?}");
    let may_be_safe = query.msg_signature.is_some() && (is_right || query.signature.is_none());
    assert!(may_be_safe || SAFE.admit(&query).is_err(), "{query:?}");

    if signature.is_some() {
        let signed = Query { signature, ..query };
        assert_eq!(PLAIN.admit(&signed), Ok(()));
        assert_eq!(PLAIN.echo(&signed).ok(), signed.echostr);
        assert_eq!(SAFE.echo(&signed).ok(), signed.echostr);
    }
});

/// Returns the right signature of the query, or `None` if it lacks the signed parameters.
fn right(query: &Query) -> Option<String> {
    Some(sign(&[query.timestamp.as_deref()?, query.nonce.as_deref()?]))
}
