//! User data as a Mini Program's page receives it from WeChat, encrypted with the session key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::session_key;
use crate::sandbox::cipher::encrypt_user_data;
use crate::sandbox::world::{Account, World};

/// Which person's data to encrypt, and what is wrong with it. A number converts to that person's valid data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserData {
    person: u64,
    appid: Option<String>,
    timestamp: Option<i64>,
    session_key: Option<[u8; 16]>,
}

impl UserData {
    /// Valid data of a person.
    pub fn of(person: u64) -> Self {
        Self { person, appid: None, timestamp: None, session_key: None }
    }

    /// Sets the AppID of the watermark.
    pub fn watermarked(self, appid: &str) -> Self {
        Self { appid: Some(appid.to_owned()), ..self }
    }

    /// Sets the time of the watermark, as Unix time in s.
    pub fn at(self, timestamp: i64) -> Self {
        Self { timestamp: Some(timestamp), ..self }
    }

    /// Encrypts with another session key, as if the user had logged in again.
    pub fn under(self, session_key: [u8; 16]) -> Self {
        Self { session_key: Some(session_key), ..self }
    }
}

impl From<u64> for UserData {
    fn from(person: u64) -> Self {
        Self::of(person)
    }
}

/// Returns `encryptedData` and `iv`, both in base64.
pub(crate) fn encrypted_user_data(
    world: &World,
    account: &Account,
    data: &UserData,
) -> (String, String) {
    let person = data.person;
    let timestamp = data.timestamp.unwrap_or(world.now() / 1_000);
    let appid = data.appid.as_deref().unwrap_or(&account.appid);
    let mut plain = json!({
        "openId": account.openids.encode(person).as_str(),
        "nickName": "微信用户",
        "gender": 0,
        "language": "",
        "city": "",
        "province": "",
        "country": "",
        "avatarUrl": "https://thirdwx.qlogo.cn/mmopen/vi_32/132",
        "watermark": {"timestamp": timestamp, "appid": appid},
    });
    if let Some(unionid) = account.state().unionid(person) {
        plain["unionId"] = unionid.as_str().into();
    }
    let key = data.session_key.unwrap_or_else(|| session_key(account, person));
    let iv = (u128::from(world.random()) << 64 | u128::from(world.random())).to_le_bytes();
    (encrypt_user_data(key, iv, plain.to_string().as_bytes()), STANDARD.encode(iv))
}
