//! One-time codes of a Mini Program: login codes, and `form_id`s of submitted forms.
//!
//! Besides issued codes, the sandbox accepts handwritten ones: `code-<anything>-<person>` and
//! `form-<anything>-<person>`. They are valid once, in any Mini Program, and count as issued when first
//! seen.

use std::collections::HashMap;
use std::sync::Mutex;

use super::DAY_MILLIS;
use crate::sandbox::errcode::Refusal;
use crate::sandbox::locks::lock;
use crate::sandbox::random::mix;

/// The rules for one kind of code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// The prefix of handwritten codes.
    prefix: &'static str,
    lifetime_millis: i64,
    /// The errcode of an unknown or expired code, or one of another person or Mini Program.
    invalid: i64,
    /// The errcode of a code that was used before.
    used: i64,
}

/// A login's `js_code`, valid for five minutes.
pub(crate) const LOGIN: Rules =
    Rules { prefix: "code-", lifetime_millis: 300_000, invalid: 40029, used: 40163 };

/// A submitted form's `form_id`, valid for seven days.
pub(crate) const FORM: Rules =
    Rules { prefix: "form-", lifetime_millis: 7 * DAY_MILLIS, invalid: 41028, used: 41029 };

/// How long an expired code is kept, in ms.
const EXPIRED_RETENTION_MS: i64 = 3_600_000;

/// The number of codes above which expired ones are removed.
const CLEANUP_THRESHOLD: usize = 4_096;

#[derive(Debug)]
struct Code {
    /// The Mini Program's number; `None` for a handwritten code, which is valid in any.
    account: Option<usize>,
    person: u64,
    /// Unix time in ms.
    minted_at: i64,
    used: bool,
}

/// All codes of one kind.
#[derive(Debug)]
pub(crate) struct Codes {
    rules: Rules,
    store: Mutex<CodeStore>,
    salt: u64,
}

#[derive(Debug)]
struct CodeStore {
    codes: HashMap<String, Code>,
    minted: u64,
    cleanup_at: usize,
}

impl Codes {
    pub(crate) fn new(rules: Rules, salt: u64) -> Self {
        let store = CodeStore { codes: HashMap::new(), minted: 0, cleanup_at: CLEANUP_THRESHOLD };
        Self { rules, store: Mutex::new(store), salt }
    }

    /// Issues a code for a person in a Mini Program.
    pub(crate) fn mint(&self, account: usize, person: u64, now: i64) -> String {
        let mut store = lock(&self.store);
        store.minted += 1;
        let random = mix(self.salt ^ store.minted);
        let text = format!("0{random:016x}{:015x}", mix(random) >> 4);
        let code = Code { account: Some(account), person, minted_at: now, used: false };
        store.insert(text.clone(), code, self.rules);
        text
    }

    /// Uses up a code and returns its person. If `person` is given, the code must be that person's.
    pub(crate) fn redeem(
        &self,
        text: &str,
        account: usize,
        person: Option<u64>,
        now: i64,
    ) -> Result<u64, Refusal> {
        let Rules { prefix, lifetime_millis, invalid, used } = self.rules;
        let mut store = lock(&self.store);
        if !store.codes.contains_key(text) {
            let person = handwritten(prefix, text).ok_or_else(|| Refusal::of(invalid))?;
            let code = Code { account: None, person, minted_at: now, used: false };
            store.insert(text.to_owned(), code, self.rules);
        }
        let code = store.codes.get_mut(text).ok_or_else(|| Refusal::of(invalid))?;
        let other_account = code.account.is_some_and(|owner| owner != account);
        let other_person = person.is_some_and(|person| person != code.person);
        if other_account || other_person || now - code.minted_at >= lifetime_millis {
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
        if self.codes.len() >= self.cleanup_at {
            let oldest = code.minted_at - rules.lifetime_millis - EXPIRED_RETENTION_MS;
            self.codes.retain(|_, code| code.minted_at > oldest);
            self.cleanup_at = (2 * self.codes.len()).max(CLEANUP_THRESHOLD);
        }
        self.codes.insert(text, code);
    }
}

/// Returns the person of a handwritten code, `<prefix><anything>-<person>`.
fn handwritten(prefix: &str, text: &str) -> Option<u64> {
    let (_, person) = text.strip_prefix(prefix)?.rsplit_once('-')?;
    person.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_valid_once_in_its_own_mini_program() {
        let codes = Codes::new(LOGIN, 7);
        let code = codes.mint(1, 42, 0);
        assert_eq!(codes.redeem(&code, 2, None, 1), Err(Refusal::of(40029)));
        assert_eq!(codes.redeem(&code, 1, None, 1), Ok(42));
        assert_eq!(codes.redeem(&code, 1, None, 2), Err(Refusal::of(40163)));
    }

    #[test]
    fn a_code_expires_after_five_minutes() {
        let codes = Codes::new(LOGIN, 7);
        let code = codes.mint(1, 42, 0);
        assert_eq!(codes.redeem(&code, 1, None, LOGIN.lifetime_millis), Err(Refusal::of(40029)));
    }

    #[test]
    fn a_handwritten_code_is_valid_once() {
        let codes = Codes::new(LOGIN, 7);
        assert_eq!(codes.redeem("code-any-thing-7", 1, None, 0), Ok(7));
        assert_eq!(codes.redeem("code-any-thing-7", 1, None, 0), Err(Refusal::of(40163)));
        for garbage in ["code-7", "code--x", "", "0123"] {
            assert_eq!(codes.redeem(garbage, 1, None, 0), Err(Refusal::of(40029)), "{garbage:?}");
        }
    }

    #[test]
    fn a_form_id_is_valid_for_its_own_user_for_seven_days() {
        let forms = Codes::new(FORM, 7);
        let form = forms.mint(1, 42, 0);
        assert_eq!(forms.redeem(&form, 1, Some(7), 1), Err(Refusal::of(41028)));
        assert_eq!(forms.redeem(&form, 1, Some(42), 7 * DAY_MILLIS), Err(Refusal::of(41028)));
        assert_eq!(forms.redeem(&form, 1, Some(42), 7 * DAY_MILLIS - 1), Ok(42));
        assert_eq!(forms.redeem(&form, 1, Some(42), 2), Err(Refusal::of(41029)));
        assert_eq!(forms.redeem("form-order-9", 1, Some(9), 3), Ok(9));
    }
}
