//! Logins, and the encrypted data that can come with them.

use aes::Aes128;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use chrono::DateTime;
use serde_json::json;

use super::*;
use crate::clock::Clock;
use crate::sandbox::{Call, Quirk, UserData};

pub(super) fn login_path(program: &Account, code: &str) -> String {
    let (appid, secret) = (program.appid(), program.secret());
    format!(
        "/sns/jscode2session?appid={appid}&secret={secret}&js_code={code}\
         &grant_type=authorization_code"
    )
}

fn decrypt(session_key: &str, (data, iv): &(String, String)) -> Option<Value> {
    let [key, iv, data] = [session_key, iv, data].map(|text| STANDARD.decode(text).unwrap());
    let cipher = Decryptor::<Aes128>::new_from_slices(&key, &iv).unwrap();
    serde_json::from_slice(&cipher.decrypt_padded_vec::<Pkcs7>(&data).ok()?).ok()
}

#[tokio::test]
async fn a_login_returns_openid_and_unionid_as_text_plain() {
    let (sandbox, _) = small_world(10).await;
    let program = sandbox.mini_program().unwrap();
    let path = login_path(&program, &program.mint_code(3));
    let head = format!("GET {path} HTTP/1.1\r\nhost: x");
    let response = send(&sandbox, &head, "").await.unwrap();
    assert!(response.head.contains("content-type: text/plain"));
    let person = program.person(3);
    let expected = json!({
        "openid": person.openid, "unionid": person.unionid, "session_key": program.session_key(3),
    });
    assert_eq!(response.json(), expected);
    assert_eq!(program.session_key(3).len(), 24);
    assert_eq!(get(&sandbox, &path).await["errcode"], 40163);
}

#[tokio::test]
async fn an_invalid_or_risky_login_is_refused() {
    let (sandbox, _) = small_world(10).await;
    let program = sandbox.mini_program().unwrap();
    program.quirk([4], Quirk::HighRisk);
    for (code, expected) in [("garbage", 40029), ("code-a-4", 40226), ("", 41008)] {
        assert_eq!(get(&sandbox, &login_path(&program, code)).await["errcode"], expected, "{code}");
    }
    let main = login_path(&sandbox.main(), "code-a-1");
    assert_eq!(get(&sandbox, &main).await["errcode"], 40013);
    program.unbind();
    let unbound = get(&sandbox, &login_path(&program, "code-a-1")).await;
    assert!(unbound["openid"].is_string() && unbound["unionid"].is_null());
}

#[tokio::test]
async fn an_expired_login_code_is_invalid() {
    let clock = Clock::manual(DateTime::UNIX_EPOCH);
    let options = Options { clock: clock.clone(), ..Options::with_followers(10) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let program = sandbox.mini_program().unwrap();
    let code = program.mint_code(3);
    clock.advance(std::time::Duration::from_secs(300));
    assert_eq!(get(&sandbox, &login_path(&program, &code)).await["errcode"], 40029);
}

#[tokio::test]
async fn encrypted_data_opens_with_the_session_key_of_the_login() {
    let (sandbox, _) = small_world(10).await;
    let program = sandbox.mini_program().unwrap();
    let login = get(&sandbox, &login_path(&program, &program.mint_code(3))).await;
    let data = program.encrypted_user_data(3);
    let plain = decrypt(login["session_key"].as_str().unwrap(), &data).unwrap();
    assert_eq!((&plain["openId"], &plain["unionId"]), (&login["openid"], &login["unionid"]));
    assert_eq!(plain["watermark"]["appid"], program.appid());
    assert_ne!(program.encrypted_user_data(3), data, "every encryption has a new iv");
}

#[tokio::test]
async fn encrypted_data_can_be_foreign_stale_or_without_a_unionid() {
    let (sandbox, _) = small_world(10).await;
    let program = sandbox.mini_program().unwrap();
    let key = program.session_key(3);
    let foreign = program.encrypted_user_data(UserData::of(3).watermarked("wx00").at(7));
    let plain = decrypt(&key, &foreign).unwrap();
    assert_eq!(plain["watermark"], json!({"appid": "wx00", "timestamp": 7}));
    let stale = program.encrypted_user_data(UserData::of(3).under([7; 16]));
    assert_eq!(decrypt(&key, &stale), None);
    program.unbind();
    let unbound = decrypt(&key, &program.encrypted_user_data(3)).unwrap();
    assert!(unbound["openId"].is_string() && unbound["unionId"].is_null());
}

#[tokio::test]
async fn a_unionid_missing_at_login_can_be_in_the_encrypted_data() {
    let (sandbox, _) = small_world(10).await;
    let program = sandbox.mini_program().unwrap();
    let quirk = format!("person@{}:3:no-unionid-at-login", program.appid());
    sandbox.apply(quirk.parse().unwrap()).unwrap();
    let login = get(&sandbox, &login_path(&program, &program.mint_code(3))).await;
    assert!(login["openid"].is_string() && login["unionid"].is_null());
    let data = post(&sandbox, "/sandbox/user-data", &json!({"person": 3})).await;
    let data = ["encrypted_data", "iv"].map(|name| data[name].as_str().unwrap().to_owned());
    let plain = decrypt(&program.session_key(3), &data.into()).unwrap();
    assert_eq!(plain["unionId"].as_str(), program.person(3).unionid.as_deref());
}

#[tokio::test]
async fn every_response_has_the_sandboxs_date() {
    let clock = Clock::manual(DateTime::from_timestamp_secs(784_111_777).unwrap());
    let options = Options { clock, ..Options::with_followers(10) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let program = sandbox.mini_program().unwrap();
    sandbox.fail(Call::Token, 1, crate::sandbox::Fault::HttpStatus(502));
    for path in [login_path(&program, "x"), "/cgi-bin/token".to_owned(), "/nowhere".to_owned()] {
        let response =
            send(&sandbox, &format!("GET {path} HTTP/1.1\r\nhost: x"), "").await.unwrap();
        let head = response.head;
        assert!(head.contains("date: Sun, 06 Nov 1994 08:49:37 GMT"), "{head}");
    }
}
