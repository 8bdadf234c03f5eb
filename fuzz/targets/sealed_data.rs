//! Sealed data from a Mini Program's client: the first line is `iv`, the rest `encryptedData`.
//!
//! The input is also sealed with the right key, to reach the code that reads the plain text.

#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use unionid_bridge::model::{AppId, OpenId};
use unionid_bridge::wechat::login::{SealedDataError, SessionKey, UserData};
use unionid_bridge_fuzz::{APPID, OPENID, SESSION_IV, SESSION_KEY, first_line, seal};

fuzz_target!(|input: &[u8]| {
    let (iv, data) = first_line(input);
    let _ = open(&String::from_utf8_lossy(data), &iv);
    if let Ok(read) = open(&seal(input), &STANDARD.encode(SESSION_IV)) {
        check(input, &read);
    }
});

fn open(data: &str, iv: &str) -> Result<UserData, SealedDataError> {
    static LOGIN: LazyLock<(AppId, OpenId, SessionKey)> = LazyLock::new(|| {
        let key = SessionKey::from(STANDARD.encode(SESSION_KEY));
        (APPID.parse().expect("an AppID"), OPENID.parse().expect("an openid"), key)
    });
    let (appid, openid, key) = &*LOGIN;
    key.open(appid, openid, data, iv)
}

/// Asserts that accepted data is for our Mini Program, and that a unionid belongs to the user.
fn check(plain: &[u8], read: &UserData) {
    // The two parsers treat numbers that overflow a float differently.
    let Ok(plain) = serde_json::from_slice::<Value>(plain) else {
        return;
    };
    let is = |value: &Value, expected: &str| value.as_str().map(str::trim) == Some(expected);
    assert!(is(&plain["watermark"]["appid"], APPID), "{plain}");
    assert!(read.unionid.is_none() || is(&plain["openId"], OPENID), "{plain}");
}
