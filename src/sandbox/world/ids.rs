//! Openids and unionids: 28 characters that a person's number can be read back from.
//!
//! `o`, five characters that all ids of one account share, and 22 that hold the scrambled number
//! and a check. Nothing is stored, and an id that was altered or belongs elsewhere is recognised.

use std::fmt;

use crate::sandbox::chance::{Permutation, derive, mix};

/// How long an openid and a unionid are.
pub(crate) const ID_LENGTH: usize = 28;

/// The shared beginning.
const PREFIX_LENGTH: usize = 6;

/// How many characters hold 64 bits.
const WORD_LENGTH: usize = 11;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// An openid or a unionid as bytes, without an allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id([u8; ID_LENGTH]);

impl Id {
    /// The id as text.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The id as bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The ids of one account (openids) or of one Open Platform account (unionids).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids {
    prefix: [u8; PREFIX_LENGTH],
    numbers: Permutation,
    check_key: u64,
}

impl Ids {
    /// The ids of what `owner` names, in the world that `seed` makes.
    pub(crate) fn new(seed: u64, owner: &str) -> Self {
        let key = derive(seed, owner);
        let mut prefix = [b'o'; PREFIX_LENGTH];
        for (place, byte) in prefix.iter_mut().enumerate().skip(1) {
            *byte = letter(mix(key) >> (6 * place));
        }
        Self { prefix, numbers: Permutation::of_all(mix(key ^ 1)), check_key: mix(key ^ 2) }
    }

    /// The person's id.
    pub(crate) fn encode(&self, person: u64) -> Id {
        let number = self.numbers.forward(person);
        let check = mix(number ^ self.check_key);
        let filler = mix(check);
        let mut id = [0; ID_LENGTH];
        let (prefix, rest) = id.split_at_mut(PREFIX_LENGTH);
        prefix.copy_from_slice(&self.prefix);
        let (first, second) = rest.split_at_mut(WORD_LENGTH);
        spell(first, number, filler);
        spell(second, check, filler >> 2);
        Id(id)
    }

    /// The person whose id this is; `None` where it is nobody's here.
    pub(crate) fn decode(&self, id: &str) -> Option<u64> {
        let number = id.as_bytes().strip_prefix(&self.prefix)?.get(..WORD_LENGTH)?;
        let person = self.numbers.backward(unspell(number)?);
        (self.encode(person).as_bytes() == id.as_bytes()).then_some(person)
    }

    /// A number that only this account's world and person give.
    pub(crate) fn secret(&self, person: u64) -> u64 {
        mix(person ^ mix(self.check_key))
    }
}

fn letter(bits: u64) -> u8 {
    ALPHABET[(bits & 63) as usize]
}

fn value(letter: u8) -> Option<u64> {
    let value = match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    };
    Some(u64::from(value))
}

/// Writes 64 bits into eleven characters; the two bits to spare are the filler's.
fn spell(out: &mut [u8], word: u64, filler: u64) {
    let (mut rest, mut bits) = (word >> 4, (word << 2) | (filler & 3));
    for byte in out.iter_mut().rev() {
        *byte = letter(bits);
        (bits, rest) = (rest, rest >> 6);
    }
}

/// The 64 bits that eleven characters hold; the last one has two bits to spare.
fn unspell(letters: &[u8]) -> Option<u64> {
    let (last, first) = letters.split_last()?;
    let high = first.iter().try_fold(0, |word, letter| Some((word << 6) | value(*letter)?))?;
    Some((high << 4) | (value(*last)? >> 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_openid_leads_back_to_its_person() {
        let ids = Ids::new(7, "wx0a00000000000001");
        for person in (0..10_000).chain([u64::MAX, 1 << 40]) {
            let id = ids.encode(person);
            assert_eq!(ids.decode(id.as_str()), Some(person));
        }
    }

    #[test]
    fn an_openid_looks_like_the_vendors() {
        let id = Ids::new(7, "wx0a00000000000001").encode(1);
        assert_eq!(id.as_str().len(), 28);
        assert!(id.as_str().starts_with('o'));
        assert!(id.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(b)));
    }

    #[test]
    fn an_altered_or_foreign_openid_is_nobodys() {
        let ids = Ids::new(7, "wx0a00000000000001");
        let id = ids.encode(41);
        for place in 0..ID_LENGTH {
            let mut altered = id.as_bytes().to_vec();
            altered[place] = if altered[place] == b'x' { b'y' } else { b'x' };
            assert_eq!(ids.decode(std::str::from_utf8(&altered).unwrap()), None, "{place}");
        }
        let elsewhere = Ids::new(7, "wx3b00000000000001").encode(41);
        assert_eq!(ids.decode(elsewhere.as_str()), None);
        assert_eq!(ids.decode(&id.as_str().to_lowercase()), None);
        assert_eq!(ids.decode(""), None);
        assert_eq!(ids.decode(&format!("{id} ")), None);
    }
}
