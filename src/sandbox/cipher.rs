//! WeChat's signatures and encryption, implemented from its documentation.
//!
//! The service has its own implementation. The two share no code, because a mistake in shared code
//! would go unnoticed.

use aes::{Aes128, Aes256};
use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use cbc::Encryptor;
use cbc::cipher::block_padding::{NoPadding, Pkcs7};
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use sha1::{Digest, Sha1};

/// The block size of the padding, in bytes. It is twice the block size of the cipher.
const BLOCK: usize = 32;

/// Accepts keys whose last character has unused bits that are not zero, as WeChat's keys may have.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// A decoded EncodingAESKey.
pub(crate) type AesKey = [u8; 32];

/// Decodes the 43 characters of an EncodingAESKey. Returns `None` if it is invalid.
pub(crate) fn aes_key(encoding_aes_key: &str) -> Option<AesKey> {
    let alphanumeric = encoding_aes_key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let bytes = LENIENT.decode(format!("{encoding_aes_key}=")).ok()?;
    bytes.try_into().ok().filter(|_| alphanumeric)
}

/// Returns the SHA-1, in hex, of the concatenated parts, sorted by their bytes.
pub(crate) fn signature<const N: usize>(mut parts: [&str; N]) -> String {
    parts.sort_unstable();
    hex::encode(Sha1::digest(parts.concat()))
}

/// Returns the `Encrypt` value of a push, in base64: random bytes, length, message and AppID, padded to a
/// multiple of 32 bytes and encrypted.
pub(crate) fn encrypt_push(key: &AesKey, random: [u8; 16], message: &[u8], appid: &str) -> String {
    let length = message.len() as u32;
    let mut plain = [&random[..], &length.to_be_bytes(), message, appid.as_bytes()].concat();
    let padding = BLOCK - plain.len() % BLOCK;
    plain.resize(plain.len() + padding, padding as u8);
    let (iv, _) = key.split_at(16);
    // Cannot fail: the types guarantee both lengths.
    let Ok(cipher) = Encryptor::<Aes256>::new_from_slices(key, iv) else {
        return String::new();
    };
    STANDARD.encode(cipher.encrypt_padded_vec::<NoPadding>(&plain))
}

/// Encrypts user data as a Mini Program's page receives it. Returns base64.
pub(crate) fn encrypt_user_data(session_key: [u8; 16], iv: [u8; 16], data: &[u8]) -> String {
    let cipher = Encryptor::<Aes128>::new(&session_key.into(), &iv.into());
    STANDARD.encode(cipher.encrypt_padded_vec::<Pkcs7>(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";

    const APPID: &str = "wx0123456789abcdef";

    #[test]
    fn a_signature_matches_wechats_documentation() {
        let signed = signature(["AAAAA", "1714036504", "1514711492"]);
        assert_eq!(signed, "f464b24fc39322e44b38aa78f5edd27bd1441696");
        let signed = signature(["AAAAA", "1714037059", "486452656"]);
        assert_eq!(signed, "899cf89e464efb63f54ddac96b0a0a235f53aa78");
    }

    #[test]
    fn an_encrypted_push_matches_the_test_vector() {
        let message = "<xml><ToUserName>gh_0123456789ab</ToUserName><FromUserName>\
            oTESTopenid0000000000000001</FromUserName><CreateTime>1700000000</CreateTime>\
            <MsgType>event</MsgType><Event>unsubscribe</Event></xml>";
        let key = aes_key(KEY).unwrap();
        let encrypted = encrypt_push(&key, [b'R'; 16], message.as_bytes(), APPID);
        assert_eq!(
            encrypted,
            "ebp7chXpiSfcmziNrB7W6b+fVPLkIT5IA2DseX8wopJ+bpYU6snhI8ZZcNwPMAKGLPUPDISc8Vo81XIKf6jaWU\
             GETql+xynSF7ixycN6MndduNXnj1+207eyZ5wyWTUElkLu0bOWnuEYZ1E0ecTKw9HqYlDat38f2Itr2pOSYyDG\
             Cm3d+OrGq69evCJ1cuW3eZraGsHyIQUnW3maJZ14rZuRTB6NQD2I/6oizjTjKCrmyvA4CsvHIerZ8Ja7lsT6BJ\
             capmRqVl79IcRXKfj0tOBEqGrgHmcuznuq+P0yf2thkN+14le1xxxcTi3DByKoZFcz67lZDxEwDty1hu4MiQ=="
        );
        let signed = signature(["bridgetoken", "1700000001", "42", &encrypted]);
        assert_eq!(signed, "c52ee60d91fc016cd0ddc2925ef3efa3d89e149b");
    }

    #[test]
    fn an_aligned_message_is_padded_with_a_full_block() {
        let key = aes_key(KEY).unwrap();
        assert_eq!(
            encrypt_push(&key, [b'R'; 16], &[b'x'; 58], APPID),
            "ebp7chXpiSfcmziNrB7W6eLGWwNcSiYe/QZdWiVQkrXlDMt5D0/r7muTWQ0Feq3JzIGEZYuxnVauqZ3YC8b2FA\
             GxUMvnb+9udFsmaz8ya0asmrY2sRhgELXLUaFogwcOpAQtYzPf9RQHu0KpiaR/xIfsE1WkfRu/48mp9U4hFDs="
        );
    }

    #[test]
    fn unused_trailing_bits_of_a_key_are_ignored() {
        let other_ending = format!("{}Z", &KEY[..42]);
        assert_eq!(aes_key(&other_ending), aes_key(KEY));
        for wrong in [&KEY[..42], "", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZ-Y"] {
            assert_eq!(aes_key(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn encrypted_user_data_matches_the_test_vector() {
        let data = "{\"openId\":\"oTESTopenid0000000000000001\",\"unionId\":\
            \"oTESTunion00000000000000001\",\"watermark\":{\"timestamp\":1700000000,\"appid\":\
            \"wx0123456789abcdef\"}}";
        assert_eq!(
            encrypt_user_data(*b"0123456789abcdef", *b"fedcba9876543210", data.as_bytes()),
            "/AcSbUzNsqz9fSLEJFnRV+W/uguXJ9Dx+X30zA4hfrs0CaUSCL7TVZG6AfBRwY/hjOnaLnwQqqgRhhnErh1oEM\
             A/shvmPzcxrd6ez4x2uyMMLT1oi+DnFBEHMqbZVOBj+T9Asyc/w1DNw1tDLdbzc5dcgjRlAJqd921wwQtokOmq\
             BOlHyq/KR8dQ+HBrZs+RHqNmGyCg8ABx+WkNiPRjGQ=="
        );
    }
}
