//! Openids and unionids: 28 characters that encode a person's number.
//!
//! An id consists of `o`, five characters that all ids of one account share, and 22 characters with the
//! scrambled number and a checksum. No ids are stored: decoding an id returns the number, and detects
//! altered ids and ids of other accounts.

use std::fmt;

use crate::sandbox::random::{Permutation, derive, mix};

/// The length of an openid or unionid, in bytes.
pub(crate) const ID_LENGTH: usize = 28;

/// The length of the prefix that all ids of one account share.
const PREFIX_LENGTH: usize = 6;

/// The number of characters that encode 64 bits.
const WORD_LENGTH: usize = 11;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// An openid or a unionid, stored without allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id([u8; ID_LENGTH]);

impl Id {
    /// Returns the id as text.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Returns the id as bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Encodes and decodes the ids of one account (openids) or one Open Platform account (unionids).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids {
    prefix: [u8; PREFIX_LENGTH],
    numbers: Permutation,
    check_key: u64,
}

impl Ids {
    /// Creates the ids of `owner` in the world with this seed.
    pub(crate) fn new(seed: u64, owner: &str) -> Self {
        let key = derive(seed, owner);
        let mut prefix = [b'o'; PREFIX_LENGTH];
        for (index, byte) in prefix.iter_mut().enumerate().skip(1) {
            *byte = encode_char(mix(key) >> (6 * index));
        }
        Self { prefix, numbers: Permutation::of_all(mix(key ^ 1)), check_key: mix(key ^ 2) }
    }

    /// Returns the person's id.
    pub(crate) fn encode(&self, person: u64) -> Id {
        let number = self.numbers.forward(person);
        let check = mix(number ^ self.check_key);
        let filler = mix(check);
        let mut id = [0; ID_LENGTH];
        let (prefix, rest) = id.split_at_mut(PREFIX_LENGTH);
        prefix.copy_from_slice(&self.prefix);
        let (first, second) = rest.split_at_mut(WORD_LENGTH);
        encode_word(first, number, filler);
        encode_word(second, check, filler >> 2);
        Id(id)
    }

    /// Returns the person with this id, or `None` if it is not an id of this account.
    pub(crate) fn decode(&self, id: &str) -> Option<u64> {
        let number = id.as_bytes().strip_prefix(&self.prefix)?.get(..WORD_LENGTH)?;
        let person = self.numbers.backward(decode_word(number)?);
        (self.encode(person).as_bytes() == id.as_bytes()).then_some(person)
    }

    /// Returns a pseudo-random number that is unique to the world, the account and the person.
    pub(crate) fn secret(&self, person: u64) -> u64 {
        mix(person ^ mix(self.check_key))
    }
}

fn encode_char(bits: u64) -> u8 {
    ALPHABET[(bits & 63) as usize]
}

fn decode_char(character: u8) -> Option<u64> {
    let value = match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    };
    Some(u64::from(value))
}

/// Writes 64 bits as eleven characters. The two spare bits of the last one are taken from `filler`.
fn encode_word(out: &mut [u8], word: u64, filler: u64) {
    let (mut rest, mut bits) = (word >> 4, (word << 2) | (filler & 3));
    for byte in out.iter_mut().rev() {
        *byte = encode_char(bits);
        (bits, rest) = (rest, rest >> 6);
    }
}

/// Reads 64 bits from eleven characters. Ignores the two spare bits of the last one.
fn decode_word(characters: &[u8]) -> Option<u64> {
    let (last, first) = characters.split_last()?;
    let high =
        first.iter().try_fold(0, |word, character| Some((word << 6) | decode_char(*character)?))?;
    Some((high << 4) | (decode_char(*last)? >> 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_openid_decodes_to_its_user() {
        let ids = Ids::new(7, "wx0a00000000000001");
        for person in (0..10_000).chain([u64::MAX, 1 << 40]) {
            let id = ids.encode(person);
            assert_eq!(ids.decode(id.as_str()), Some(person));
        }
    }

    #[test]
    fn an_openid_has_wechats_format() {
        let id = Ids::new(7, "wx0a00000000000001").encode(1);
        assert_eq!(id.as_str().len(), 28);
        assert!(id.as_str().starts_with('o'));
        assert!(id.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(b)));
    }

    #[test]
    fn an_altered_or_foreign_openid_does_not_decode() {
        let ids = Ids::new(7, "wx0a00000000000001");
        let id = ids.encode(41);
        for index in 0..ID_LENGTH {
            let mut altered = id.as_bytes().to_vec();
            altered[index] = if altered[index] == b'x' { b'y' } else { b'x' };
            assert_eq!(ids.decode(std::str::from_utf8(&altered).unwrap()), None, "{index}");
        }
        let elsewhere = Ids::new(7, "wx3b00000000000001").encode(41);
        assert_eq!(ids.decode(elsewhere.as_str()), None);
        assert_eq!(ids.decode(&id.as_str().to_lowercase()), None);
        assert_eq!(ids.decode(""), None);
        assert_eq!(ids.decode(&format!("{id} ")), None);
    }
}
