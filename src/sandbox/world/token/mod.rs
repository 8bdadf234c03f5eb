//! Access tokens, issued and replaced as WeChat does.
//!
//! There are two independent kinds. Classic: each call issues a new token, and the previous one stays
//! valid for five minutes. Stable: every caller gets the same token until its last five minutes, unless a
//! caller forces a refresh.

mod store;

use std::sync::Mutex;
use std::time::Duration;

use store::{TokenStore, looks_like_a_token};

use crate::sandbox::errcode::Refusal;
use crate::sandbox::locks::lock;

/// How long a token stays valid next to its successor, in ms.
const OVERLAP_MILLIS: i64 = 300_000;

/// A token as returned to a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issued {
    pub(crate) token: String,
    pub(crate) expires_in_seconds: i64,
}

/// All access tokens of the world.
#[derive(Debug)]
pub(crate) struct Tokens {
    lifetime_millis: i64,
    store: Mutex<TokenStore>,
}

impl Tokens {
    /// Creates an empty store. `salt` must differ from start to start, so that tokens of an earlier world do
    /// not become valid again.
    pub(crate) fn new(accounts: usize, lifetime: Duration, salt: u64) -> Self {
        let store = Mutex::new(TokenStore::new(accounts, salt));
        Self { lifetime_millis: lifetime.as_millis() as i64, store }
    }

    /// Issues a classic token, as `GET /cgi-bin/token` does.
    pub(crate) fn classic(&self, account: usize, now: i64) -> Issued {
        let mut store = lock(&self.store);
        let old = store.current[account].classic.take();
        if let Some(old) = old.and_then(|token| store.grants.get_mut(&token)) {
            old.displaced = true;
            old.expires_at = old.expires_at.min(now + OVERLAP_MILLIS);
        }
        let token = store.mint(account, now + self.lifetime_millis, now);
        store.current[account].classic = Some(token.clone());
        Issued { token, expires_in_seconds: self.lifetime_millis / 1_000 }
    }

    /// Returns the stable token, as `POST /cgi-bin/stable_token` does.
    pub(crate) fn stable(&self, account: usize, force: bool, now: i64) -> Result<Issued, Refusal> {
        let mut store = lock(&self.store);
        let current = store.current[account].stable.clone();
        let forced = force && store.current[account].may_force(now)?;
        let rotate_at = OVERLAP_MILLIS.min(self.lifetime_millis / 2);
        if let (Some(token), false) = (&current, forced) {
            let left = store.grants.get(token).map_or(0, |grant| grant.expires_at - now);
            if left > rotate_at {
                return Ok(Issued { token: token.clone(), expires_in_seconds: left / 1_000 });
            }
        }
        if let Some(old) = current.and_then(|token| store.grants.get_mut(&token)) {
            old.dead |= forced;
        }
        let token = store.mint(account, now + self.lifetime_millis, now);
        store.current[account].stable = Some(token.clone());
        Ok(Issued { token, expires_in_seconds: self.lifetime_millis / 1_000 })
    }

    /// Returns the account of a valid token.
    pub(crate) fn check(&self, token: &str, now: i64) -> Result<usize, Refusal> {
        match lock(&self.store).grants.get(token) {
            Some(grant) if now < grant.expires_at && !grant.dead => Ok(grant.account),
            Some(grant) if !grant.displaced && !grant.dead => Err(Refusal::of(42001)),
            None if !looks_like_a_token(token) => Err(Refusal::of(40014)),
            _ => Err(Refusal::of(40001)),
        }
    }

    /// Returns the account of a token, even if the token is no longer valid.
    pub(crate) fn owner(&self, token: &str) -> Option<usize> {
        lock(&self.store).grants.get(token).map(|grant| grant.account)
    }

    /// Invalidates all tokens of the account, as a forced refresh by another system does.
    pub(crate) fn invalidate(&self, account: usize) {
        let mut store = lock(&self.store);
        store.invalidate_all(account);
        store.current[account].classic = None;
        store.current[account].stable = None;
    }

    /// Invalidates all tokens of the account, but keeps returning the invalid stable one.
    pub(crate) fn jam(&self, account: usize) {
        lock(&self.store).invalidate_all(account);
    }
}

#[cfg(test)]
mod tests {
    use super::super::DAY_MILLIS;
    use super::*;

    const MINUTE: i64 = 60_000;

    fn tokens() -> Tokens {
        Tokens::new(2, Duration::from_secs(7_200), 7)
    }

    fn errcode<T>(result: Result<T, Refusal>) -> i64 {
        result.err().map_or(0, |refusal| refusal.errcode)
    }

    #[test]
    fn the_stable_token_stays_the_same_until_five_minutes_before_expiry() {
        let tokens = tokens();
        let first = tokens.stable(0, false, 0).unwrap();
        assert_eq!(first.expires_in_seconds, 7_200);
        let same = tokens.stable(0, false, 100 * MINUTE).unwrap();
        assert_eq!((same.token, same.expires_in_seconds), (first.token.clone(), 1_200));
        let next = tokens.stable(0, false, 115 * MINUTE).unwrap();
        assert_ne!(next.token, first.token);
        assert_eq!(errcode(tokens.check(&first.token, 119 * MINUTE)), 0);
        assert_eq!(errcode(tokens.check(&next.token, 119 * MINUTE)), 0);
        assert_eq!(errcode(tokens.check(&first.token, 120 * MINUTE)), 42001);
    }

    #[test]
    fn a_classic_token_invalidates_its_predecessor_after_five_minutes() {
        let tokens = tokens();
        let stable = tokens.stable(0, false, 0).unwrap().token;
        let first = tokens.classic(0, 0).token;
        let second = tokens.classic(0, 10 * MINUTE).token;
        assert_eq!(errcode(tokens.check(&first, 14 * MINUTE)), 0);
        assert_eq!(errcode(tokens.check(&first, 15 * MINUTE)), 40001);
        assert_eq!(errcode(tokens.check(&second, 15 * MINUTE)), 0);
        assert_eq!(errcode(tokens.check(&stable, 15 * MINUTE)), 0, "the families are apart");
    }

    #[test]
    fn a_forced_refresh_ends_the_old_token_and_works_every_30_seconds() {
        let tokens = tokens();
        let first = tokens.stable(0, true, 0).unwrap().token;
        assert_eq!(tokens.stable(0, true, 29_000).unwrap().token, first);
        let second = tokens.stable(0, true, 30_000).unwrap().token;
        assert_ne!(second, first);
        assert_eq!(errcode(tokens.check(&first, 30_000)), 40001);
        assert_eq!(tokens.stable(0, false, 31_000).unwrap().token, second);
    }

    #[test]
    fn at_most_twenty_forced_refreshes_per_day_are_allowed() {
        let tokens = tokens();
        for n in 0..20 {
            tokens.stable(0, true, n * MINUTE).unwrap();
        }
        assert_eq!(errcode(tokens.stable(0, true, 20 * MINUTE)), 45009);
        assert_eq!(errcode(tokens.stable(1, true, 20 * MINUTE)), 0);
        assert_eq!(errcode(tokens.stable(0, true, DAY_MILLIS)), 0);
    }

    #[test]
    fn an_invalidated_token_is_replaced_and_a_jammed_one_is_not() {
        let tokens = tokens();
        let first = tokens.stable(0, false, 0).unwrap().token;
        tokens.invalidate(0);
        assert_eq!(errcode(tokens.check(&first, 1)), 40001);
        let second = tokens.stable(0, false, 1).unwrap().token;
        assert_eq!(tokens.check(&second, 1).unwrap(), 0);
        tokens.jam(0);
        assert_eq!(tokens.stable(0, false, 2).unwrap().token, second);
        assert_eq!(errcode(tokens.check(&second, 2)), 40001);
    }

    #[test]
    fn an_invalid_token_is_distinguished_from_an_outdated_one() {
        let tokens = tokens();
        assert_eq!(errcode(tokens.check("garbage", 0)), 40014);
        let token = tokens.classic(0, 0).token.replace(['A', 'b'], "x");
        assert_eq!(errcode(tokens.check(&token, 0)), 40001);
    }
}
