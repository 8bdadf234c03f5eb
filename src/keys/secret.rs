//! The text of a key: `ubk_`, its public part, `_`, 30 random characters and a checksum of six.
//!
//! The checksum tells a mistyped key from an unknown one without the database. All of it is letters
//! and digits, so that a double click selects it.

use rand::RngExt;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

/// What every key begins with, so that secret scanners know it.
pub(super) const PREFIX: &str = "ubk_";

/// Characters of the public part.
const ID_LENGTH: usize = 12;

/// Random characters of the secret part: 178 bits.
const RANDOM_LENGTH: usize = 30;

/// Characters of the checksum: 31 bits and a half of them used.
const CHECKSUM_LENGTH: usize = 6;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new key's public part, its whole text, and the digest to store.
pub(super) struct Drawn {
    pub(super) id: String,
    pub(super) text: SecretString,
    pub(super) digest: [u8; 32],
}

/// Draws a key nobody has.
pub(super) fn draw() -> Drawn {
    // Lower case and digits only: people read it out.
    let id = characters(ID_LENGTH).to_ascii_lowercase();
    let random = characters(RANDOM_LENGTH);
    let secret = format!("{random}{}", checksum(&id, &random));
    let digest = digest(&secret);
    Drawn { text: SecretString::from(format!("{PREFIX}{id}_{secret}")), id, digest }
}

fn characters(count: usize) -> String {
    let mut random = rand::rng();
    let draw = |_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())]);
    (0..count).map(draw).collect()
}

/// The public part and the secret part of what looks like a key.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let whole = id.len() == ID_LENGTH && secret.len() == RANDOM_LENGTH + CHECKSUM_LENGTH;
    (whole && plain(id) && plain(secret)).then_some((id, secret))
}

/// Whether the parts are as some key of ours had them.
pub(super) fn adds_up(id: &str, secret: &str) -> bool {
    let (random, sum) = secret.split_at(RANDOM_LENGTH);
    checksum(id, random) == sum
}

/// What is stored instead of the secret part. It has 178 random bits, so one round is enough.
pub(super) fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

fn checksum(id: &str, random: &str) -> String {
    let hash = Sha256::new().chain_update("ubk checksum").chain_update(id).chain_update(random);
    let hash = hash.finalize();
    let mut number = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) as usize;
    let mut text = String::with_capacity(CHECKSUM_LENGTH);
    for _ in 0..CHECKSUM_LENGTH {
        text.push(char::from(ALPHABET[number % ALPHABET.len()]));
        number /= ALPHABET.len();
    }
    text
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_drawn_key_is_read_back_and_no_two_are_alike() {
        let (one, other) = (draw(), draw());
        let (id, secret) = split(one.text.expose_secret()).unwrap();
        assert_eq!((id, digest(secret)), (one.id.as_str(), one.digest));
        assert!(adds_up(id, secret) && one.id != other.id && one.digest != other.digest);
    }

    #[test]
    fn one_wrong_character_is_told_without_the_database() {
        let drawn = draw();
        let text = drawn.text.expose_secret();
        for place in PREFIX.len()..text.len() {
            let old = text.as_bytes()[place];
            let new = if old == b'7' { "8" } else { "7" };
            let mut typo = text.to_owned();
            typo.replace_range(place..place + 1, new);
            let holds = split(&typo).is_some_and(|(id, secret)| adds_up(id, secret));
            assert!(!holds, "at {place}");
        }
    }

    #[test]
    fn what_only_looks_a_little_like_a_key_is_not_split() {
        let drawn = draw();
        let text = drawn.text.expose_secret();
        let strange = ["", "ubk_", "ubk__", "Bearer x", &text[1..], &text[..text.len() - 1]];
        for text in strange.into_iter().chain([&*format!("{text}0"), &text.replace("ubk", "UBK")]) {
            assert_eq!(split(text), None);
        }
        assert_eq!(split(&format!("{}é", &text[..text.len() - 2])), None);
    }
}
