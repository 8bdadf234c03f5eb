//! Encrypted data that opens, and encrypted data that must not. The first two texts come from other programs.

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use base64::engine::general_purpose::STANDARD;
use cbc::Encryptor;
use proptest::prelude::*;

use super::*;

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZg==";
const IV: &str = "ZmVkY2JhOTg3NjU0MzIxMA==";
const APPID: &str = "wx0123456789abcdef";
const OPENID: &str = "oTESTopenid0000000000000001";
const SEALED: &str = "/AcSbUzNsqz9fSLEJFnRV+W/uguXJ9Dx+X30zA4hfrs0CaUSCL7TVZG6AfBRwY/hjOnaLnwQqqgRhhnErh1o\
    EMA/shvmPzcxrd6ez4x2uyMMLT1oi+DnFBEHMqbZVOBj+T9Asyc/w1DNw1tDLdbzc5dcgjRlAJqd921wwQtokOmqBOlHyq/K\
    R8dQ+HBrZs+RHqNmGyCg8ABx+WkNiPRjGQ==";

fn open_as(appid: &str, openid: &str, sealed: &str, iv: &str) -> Result<UserData, SealedDataError> {
    let (appid, openid) = (appid.parse().unwrap(), openid.parse().unwrap());
    SessionKey::from(KEY).open(&appid, &openid, sealed, iv)
}

fn seal(plain: &[u8]) -> String {
    let key: [u8; 16] = STANDARD.decode(KEY).unwrap().try_into().unwrap();
    let iv: [u8; 16] = STANDARD.decode(IV).unwrap().try_into().unwrap();
    let cipher = Encryptor::<Aes128>::new(&key.into(), &iv.into());
    STANDARD.encode(cipher.encrypt_padded_vec::<Pkcs7>(plain))
}

fn opened(plain: &str) -> Result<UserData, SealedDataError> {
    open_as(APPID, OPENID, &seal(plain.as_bytes()), IV)
}

#[test]
fn data_encrypted_in_this_login_opens() {
    let data = open_as(APPID, OPENID, SEALED, IV).unwrap();
    assert_eq!(data.unionid.unwrap().as_str(), "oTESTunion00000000000000001");
    assert_eq!(data.sealed_at, 1_700_000_000);
}

#[test]
fn the_sample_in_wechats_documentation_opens() {
    let sealed = "CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7f\
        JlAC+oNPdbB+3hVbJSRgv+4lGOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poO\
        FtnEtpyxVLW1zAo6/1Xx1COxFvrc2d7UL/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W\
        //FRAUid1OksQaQx4CMs8LOddcQhULW4ucetDf96JcR3g0gfRK4PC7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHq\
        Z9J6nKEBvB4DnNLIVWSgARns/8wR2SiRS7MNACwTyrGvt9ts8p12PKFdlqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYVoKla\
        Rv85IfVunYzO0IKXsyl7JCUjCpoG20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/XcxxmK01EpqOyuxINew==";
    let key = SessionKey::from("tiihtNczf5v6AKRyjwEUhQ==");
    let appid = "wx4f4bc4dec97d474b".parse().unwrap();
    let openid = "oGZUI0egBJY1zhBYw2KhdUfwVJJE".parse().unwrap();
    let data = key.open(&appid, &openid, sealed, "r7BXXKkLb8qrSNn05n0qiA==").unwrap();
    assert_eq!(data.unionid.unwrap().as_str(), "ocMvos6NjeKLIBqg5Mr9QjxrP1FA");
    assert_eq!(data.sealed_at, 1_477_314_187);
}

#[test]
fn data_for_another_app_or_user_is_rejected() {
    let outcome = open_as("wx0123456789abcdee", OPENID, SEALED, IV);
    assert_eq!(outcome, Err(SealedDataError::OtherApp));
    let outcome = open_as(APPID, "oTESTopenid0000000000000002", SEALED, IV);
    assert_eq!(outcome, Err(SealedDataError::OtherPerson));
}

#[test]
fn the_hint_for_a_wrong_session_key_is_to_log_in_again() {
    let (appid, openid) = (APPID.parse().unwrap(), OPENID.parse().unwrap());
    for key in ["MTIzNDU2Nzg5MGFiY2RlZg==", "bm90IGEga2V5", "no base64!", ""] {
        let outcome = SessionKey::from(key).open(&appid, &openid, SEALED, IV);
        assert_eq!(outcome, Err(SealedDataError::OtherSession), "{key}");
        assert!(outcome.unwrap_err().hint().starts_with("call wx.login first"));
    }
}

#[test]
fn malformed_encrypted_data_is_rejected() {
    use SealedDataError::{Malformed, TooLong};
    let long = "A".repeat(MAX_CHARS + 4);
    for (sealed, iv, problem) in [
        ("", IV, Malformed),
        ("AAAA", IV, Malformed),
        ("{}", IV, Malformed),
        (SEALED, "", Malformed),
        (SEALED, "AAAA", Malformed),
        (SEALED, SEALED, Malformed),
        (&long, IV, TooLong),
        (SEALED, &long, TooLong),
    ] {
        assert_eq!(open_as(APPID, OPENID, sealed, iv), Err(problem));
    }
}

#[test]
fn a_unionid_is_used_only_together_with_the_users_openid() {
    let watermark = format!(r#""watermark":{{"appid":"{APPID}","timestamp":"1700000000"}}"#);
    let data = opened(&format!(r#"{{"unionId":"uSomebody",{watermark}}}"#)).unwrap();
    assert_eq!(data, UserData { unionid: None, sealed_at: 1_700_000_000 });
    let data = opened(&format!(r#"{{"openId":"{OPENID}",{watermark}}}"#)).unwrap();
    assert_eq!(data.unionid, None);
    let outcome = opened(&format!(r#"{{"openId":"","unionId":"uSomebody",{watermark}}}"#));
    assert_eq!(outcome, Err(SealedDataError::OtherPerson));
    let twice = format!(r#"{{"openId":"oOther","openId":"{OPENID}",{watermark}}}"#);
    assert_eq!(opened(&twice), Err(SealedDataError::OtherSession));
}

#[test]
fn data_without_a_complete_watermark_is_rejected() {
    for plain in [
        format!(r#"{{"openId":"{OPENID}","unionId":"u"}}"#),
        format!(r#"{{"openId":"{OPENID}","unionId":"u","watermark":{{"appid":"{APPID}"}}}}"#),
        "[]".to_owned(),
        "\u{FEFF}".to_owned(),
    ] {
        assert!(opened(&plain).is_err(), "{plain}");
    }
}

proptest! {
    #[test]
    fn opening_any_bytes_does_not_panic(plain: Vec<u8>, iv in prop::array::uniform16(any::<u8>())) {
        let _ = open_as(APPID, OPENID, &seal(&plain), &STANDARD.encode(iv));
        let _ = open_as(APPID, OPENID, &STANDARD.encode(&plain), &STANDARD.encode(iv));
    }

    #[test]
    fn an_altered_byte_never_yields_another_unionid(at in 0..176_usize, bit in 0..8_u32) {
        let mut sealed = STANDARD.decode(SEALED).unwrap();
        prop_assume!(at < sealed.len());
        sealed[at] ^= 1 << bit;
        if let Ok(data) = open_as(APPID, OPENID, &STANDARD.encode(sealed), IV) {
            let unionid = data.unionid.map(String::from);
            prop_assert!(unionid.is_none_or(|unionid| unionid == "oTESTunion00000000000000001"));
        }
    }
}
