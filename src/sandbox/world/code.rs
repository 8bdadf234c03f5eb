//! What a person's act in a Mini Program is good for once: a login by its code, a message by the
//! form that was submitted.
//!
//! Besides minted ones there is a spelling anybody can write, `code-<anything>-<person>` and
//! `form-<anything>-<person>`, good for one use in any Mini Program; it counts as minted when it is
//! first seen.

use std::collections::HashMap;
use std::sync::Mutex;

use super::DAY_MILLIS;
use crate::sandbox::chance::mix;
use crate::sandbox::errcode::Refusal;
use crate::sandbox::locks::lock;

/// What holds for all codes of a kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// How those that anybody can write begin.
    prefix: &'static str,
    lifetime_millis: i64,
    /// The errcode of one that never was, is over, or is somebody else's.
    invalid: i64,
    /// The errcode of a second use.
    used: i64,
}

/// A login's `js_code`: five minutes.
pub(crate) const LOGIN: Rules =
    Rules { prefix: "code-", lifetime_millis: 300_000, invalid: 40029, used: 40163 };

/// A submitted form's `form_id`: seven days.
pub(crate) const FORM: Rules =
    Rules { prefix: "form-", lifetime_millis: 7 * DAY_MILLIS, invalid: 41028, used: 41029 };

/// How long an expired code is remembered, so that a second use is told apart.
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

/// All codes of one kind.
#[derive(Debug)]
pub(crate) struct Codes {
    rules: Rules,
    book: Mutex<CodeStore>,
    salt: u64,
}

#[derive(Debug)]
struct CodeStore {
    codes: HashMap<String, Code>,
    minted: u64,
    sweep_at: usize,
}

impl Codes {
    pub(crate) fn new(rules: Rules, salt: u64) -> Self {
        let book = CodeStore { codes: HashMap::new(), minted: 0, sweep_at: SWEEP_AT };
        Self { rules, book: Mutex::new(book), salt }
    }

    /// A code of something that the person does in the Mini Program.
    pub(crate) fn mint(&self, account: usize, person: u64, now: i64) -> String {
        let mut book = lock(&self.book);
        book.minted += 1;
        let random = mix(self.salt ^ book.minted);
        let text = format!("0{random:016x}{:015x}", mix(random) >> 4);
        let code = Code { account: Some(account), person, minted_at: now, used: false };
        book.insert(text.clone(), code, self.rules);
        text
    }

    /// The person whose code it is, who has to be `person` where one is given. The code is used up
    /// by it.
    pub(crate) fn redeem(
        &self,
        text: &str,
        account: usize,
        person: Option<u64>,
        now: i64,
    ) -> Result<u64, Refusal> {
        let Rules { prefix, lifetime_millis, invalid, used } = self.rules;
        let mut book = lock(&self.book);
        if !book.codes.contains_key(text) {
            let person = free_form(prefix, text).ok_or_else(|| Refusal::of(invalid))?;
            let code = Code { account: None, person, minted_at: now, used: false };
            book.insert(text.to_owned(), code, self.rules);
        }
        let code = book.codes.get_mut(text).ok_or_else(|| Refusal::of(invalid))?;
        let elsewhere = code.account.is_some_and(|owner| owner != account);
        let anothers = person.is_some_and(|person| person != code.person);
        if elsewhere || anothers || now - code.minted_at >= lifetime_millis {
            return Err(Refusal::of(invalid));
        }
        if std::mem::replace(&mut code.used, true) {
            return Err(Refusal::of(used));
        }
        Ok(code.person)
    }
}

impl CodeStore {
    fn insert(&mut self, text: String, code: Code, rules: Rules) {
        if self.codes.len() >= self.sweep_at {
            let oldest = code.minted_at - rules.lifetime_millis - REMEMBERED_MILLIS;
            self.codes.retain(|_, code| code.minted_at > oldest);
            self.sweep_at = (2 * self.codes.len()).max(SWEEP_AT);
        }
        self.codes.insert(text, code);
    }
}

/// The person in `<prefix><anything>-<person>`.
fn free_form(prefix: &str, text: &str) -> Option<u64> {
    let (_, person) = text.strip_prefix(prefix)?.rsplit_once('-')?;
    person.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_good_for_one_use_in_its_own_mini_program() {
        let codes = Codes::new(LOGIN, 7);
        let code = codes.mint(1, 42, 0);
        assert_eq!(codes.redeem(&code, 2, None, 1), Err(Refusal::of(40029)));
        assert_eq!(codes.redeem(&code, 1, None, 1), Ok(42));
        assert_eq!(codes.redeem(&code, 1, None, 2), Err(Refusal::of(40163)));
    }

    #[test]
    fn a_code_is_over_after_five_minutes() {
        let codes = Codes::new(LOGIN, 7);
        let code = codes.mint(1, 42, 0);
        assert_eq!(codes.redeem(&code, 1, None, LOGIN.lifetime_millis), Err(Refusal::of(40029)));
    }

    #[test]
    fn anybody_can_write_a_code() {
        let codes = Codes::new(LOGIN, 7);
        assert_eq!(codes.redeem("code-any-thing-7", 1, None, 0), Ok(7));
        assert_eq!(codes.redeem("code-any-thing-7", 1, None, 0), Err(Refusal::of(40163)));
        for garbage in ["code-7", "code--x", "", "0123"] {
            assert_eq!(codes.redeem(garbage, 1, None, 0), Err(Refusal::of(40029)), "{garbage:?}");
        }
    }

    #[test]
    fn a_form_is_good_for_its_own_person_within_seven_days() {
        let forms = Codes::new(FORM, 7);
        let form = forms.mint(1, 42, 0);
        assert_eq!(forms.redeem(&form, 1, Some(7), 1), Err(Refusal::of(41028)));
        assert_eq!(forms.redeem(&form, 1, Some(42), 7 * DAY_MILLIS), Err(Refusal::of(41028)));
        assert_eq!(forms.redeem(&form, 1, Some(42), 7 * DAY_MILLIS - 1), Ok(42));
        assert_eq!(forms.redeem(&form, 1, Some(42), 2), Err(Refusal::of(41029)));
        assert_eq!(forms.redeem("form-order-9", 1, Some(9), 3), Ok(9));
    }
}
