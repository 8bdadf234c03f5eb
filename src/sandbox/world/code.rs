//! Login codes: five minutes, one use, one Mini Program, one person.
//!
//! Besides minted codes there is a form anybody can write, `code-<anything>-<person>`, good for
//! one use in any Mini Program; it counts as minted when it is first seen.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::sandbox::chance::mix;
use crate::sandbox::errcode::Refusal;
use crate::sandbox::locks::lock;

const LIFETIME_MILLIS: i64 = 300_000;

/// How long a used or expired code is remembered, so that a second use is told apart.
const REMEMBERED_MILLIS: i64 = 3_600_000;

/// Past this many codes the old ones are looked for.
const SWEEP_AT: usize = 4_096;

#[derive(Debug)]
struct Code {
    /// The Mini Program's number; `None` where any will do.
    account: Option<usize>,
    person: u64,
    minted_at: i64,
    used: bool,
}

/// All login codes of the world.
#[derive(Debug)]
pub(crate) struct Codes {
    book: Mutex<Book>,
    salt: u64,
}

#[derive(Debug)]
struct Book {
    codes: HashMap<String, Code>,
    minted: u64,
    sweep_at: usize,
}

impl Codes {
    pub(crate) fn new(salt: u64) -> Self {
        let book = Book { codes: HashMap::new(), minted: 0, sweep_at: SWEEP_AT };
        Self { book: Mutex::new(book), salt }
    }

    /// A code with which the person logs in to the Mini Program.
    pub(crate) fn mint(&self, account: usize, person: u64, now: i64) -> String {
        let mut book = lock(&self.book);
        book.minted += 1;
        let random = mix(self.salt ^ book.minted);
        let text = format!("0{random:016x}{:015x}", mix(random) >> 4);
        let code = Code { account: Some(account), person, minted_at: now, used: false };
        book.insert(text.clone(), code);
        text
    }

    /// The person whom the code logs in. The code is used up by it.
    pub(crate) fn redeem(&self, text: &str, account: usize, now: i64) -> Result<u64, Refusal> {
        let mut book = lock(&self.book);
        if !book.codes.contains_key(text) {
            let person = free_form(text).ok_or_else(|| Refusal::of(40029))?;
            let code = Code { account: None, person, minted_at: now, used: false };
            book.insert(text.to_owned(), code);
        }
        let code = book.codes.get_mut(text).ok_or_else(|| Refusal::of(40029))?;
        let elsewhere = code.account.is_some_and(|owner| owner != account);
        if elsewhere || now - code.minted_at >= LIFETIME_MILLIS {
            return Err(Refusal::of(40029));
        }
        if std::mem::replace(&mut code.used, true) {
            return Err(Refusal::of(40163));
        }
        Ok(code.person)
    }
}

impl Book {
    fn insert(&mut self, text: String, code: Code) {
        if self.codes.len() >= self.sweep_at {
            let now = code.minted_at;
            self.codes.retain(|_, code| now - code.minted_at < REMEMBERED_MILLIS);
            self.sweep_at = (2 * self.codes.len()).max(SWEEP_AT);
        }
        self.codes.insert(text, code);
    }
}

/// The person in `code-<anything>-<person>`.
fn free_form(text: &str) -> Option<u64> {
    let (_, person) = text.strip_prefix("code-")?.rsplit_once('-')?;
    person.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_good_for_one_use_in_its_own_mini_program() {
        let codes = Codes::new(7);
        let code = codes.mint(1, 42, 0);
        assert_eq!(codes.redeem(&code, 2, 1), Err(Refusal::of(40029)));
        assert_eq!(codes.redeem(&code, 1, 1), Ok(42));
        assert_eq!(codes.redeem(&code, 1, 2), Err(Refusal::of(40163)));
    }

    #[test]
    fn a_code_is_over_after_five_minutes() {
        let codes = Codes::new(7);
        let code = codes.mint(1, 42, 0);
        assert_eq!(codes.redeem(&code, 1, LIFETIME_MILLIS), Err(Refusal::of(40029)));
    }

    #[test]
    fn anybody_can_write_a_code() {
        let codes = Codes::new(7);
        assert_eq!(codes.redeem("code-any-thing-7", 1, 0), Ok(7));
        assert_eq!(codes.redeem("code-any-thing-7", 1, 0), Err(Refusal::of(40163)));
        for garbage in ["code-7", "code--x", "", "0123"] {
            assert_eq!(codes.redeem(garbage, 1, 0), Err(Refusal::of(40029)), "{garbage:?}");
        }
    }
}
