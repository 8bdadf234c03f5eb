//! The text of a key: `ubk_`, the public part, `_`, 30 random characters and a checksum of six
//! characters.
//!
//! The checksum distinguishes a mistyped key from an unknown one without the database. The text
//! consists of letters, digits and underscores, so that a double click selects it.

use rand::RngExt;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

/// The prefix of every key, by which secret scanners recognise keys.
pub(super) const PREFIX: &str = "ubk_";

/// The length of the public part.
const ID_LENGTH: usize = 12;

/// The number of random characters in the secret part: 178 bits.
const RANDOM_LENGTH: usize = 30;

/// The length of the checksum, a 32-bit hash in base 62.
const CHECKSUM_LENGTH: usize = 6;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new key's public part, its whole text, and the digest to store.
pub(super) struct Generated {
    pub(super) id: String,
    pub(super) text: SecretString,
    pub(super) digest: [u8; 32],
}

/// Generates a new key.
pub(super) fn generate() -> Generated {
    // Lower case and digits only, because people read the public part aloud.
    let id = characters(ID_LENGTH).to_ascii_lowercase();
    let random = characters(RANDOM_LENGTH);
    let secret = format!("{random}{}", checksum(&id, &random));
    let digest = digest(&secret);
    Generated { text: SecretString::from(format!("{PREFIX}{id}_{secret}")), id, digest }
}

fn characters(count: usize) -> String {
    let mut random = rand::rng();
    let character = |_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())]);
    (0..count).map(character).collect()
}

/// Splits a text in the format of a key into its public part and its secret part. Does not check the
/// checksum.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    let is_alphanumeric = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let has_lengths = id.len() == ID_LENGTH && secret.len() == RANDOM_LENGTH + CHECKSUM_LENGTH;
    (has_lengths && is_alphanumeric(id) && is_alphanumeric(secret)).then_some((id, secret))
}

/// Whether the checksum matches the public part and the random characters.
pub(super) fn has_valid_checksum(id: &str, secret: &str) -> bool {
    let (random, sum) = secret.split_at(RANDOM_LENGTH);
    checksum(id, random) == sum
}

/// Returns the digest that is stored instead of the secret part. One hash round is enough for 178
/// random bits.
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
    fn a_generated_key_can_be_split_again_and_keys_differ() {
        let (one, other) = (generate(), generate());
        let (id, secret) = split(one.text.expose_secret()).unwrap();
        assert_eq!((id, digest(secret)), (one.id.as_str(), one.digest));
        assert!(has_valid_checksum(id, secret));
        assert!(one.id != other.id && one.digest != other.digest);
    }

    #[test]
    fn a_single_wrong_character_fails_the_checksum() {
        let generated = generate();
        let text = generated.text.expose_secret();
        for index in PREFIX.len()..text.len() {
            let old = text.as_bytes()[index];
            let new = if old == b'7' { "8" } else { "7" };
            let mut typo = text.to_owned();
            typo.replace_range(index..index + 1, new);
            let is_valid = split(&typo).is_some_and(|(id, secret)| has_valid_checksum(id, secret));
            assert!(!is_valid, "at {index}");
        }
    }

    #[test]
    fn text_that_is_not_exactly_a_key_is_not_split() {
        let generated = generate();
        let text = generated.text.expose_secret();
        let strange = ["", "ubk_", "ubk__", "Bearer x", &text[1..], &text[..text.len() - 1]];
        for text in strange.into_iter().chain([&*format!("{text}0"), &text.replace("ubk", "UBK")]) {
            assert_eq!(split(text), None);
        }
        assert_eq!(split(&format!("{}é", &text[..text.len() - 2])), None);
    }
}
