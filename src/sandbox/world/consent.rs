//! Consents: which subscribe messages a person may be sent, and how often.

use std::collections::HashMap;
use std::sync::Mutex;

use serde::Serialize;

use crate::sandbox::locks::lock;

/// How often a person may be sent messages of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Once for each accepted prompt.
    Times(u32),
    /// Without limit, until the person revokes it.
    Always,
}

impl From<u32> for Permission {
    fn from(times: u32) -> Self {
        Self::Times(times)
    }
}

/// All consents of the world, by account, person and template.
#[derive(Debug, Default)]
pub(crate) struct Consents {
    store: Mutex<HashMap<(usize, u64, String), Permission>>,
}

impl Consents {
    /// Adds a permission.
    pub(crate) fn grant(&self, account: usize, person: u64, template: &str, more: Permission) {
        let mut store = lock(&self.store);
        let entry = store.entry((account, person, template.to_owned()));
        let permission = entry.or_insert(Permission::Times(0));
        *permission = match (*permission, more) {
            (Permission::Times(old), Permission::Times(more)) => {
                Permission::Times(old.saturating_add(more))
            }
            _ => Permission::Always,
        };
    }

    /// Revokes every permission for the template.
    pub(crate) fn revoke(&self, account: usize, person: u64, template: &str) {
        lock(&self.store).remove(&(account, person, template.to_owned()));
    }

    /// Returns the remaining permission.
    pub(crate) fn left(&self, account: usize, person: u64, template: &str) -> Permission {
        let left = lock(&self.store).get(&(account, person, template.to_owned())).copied();
        left.unwrap_or(Permission::Times(0))
    }

    /// Uses up one permission. Returns whether there was one.
    pub(crate) fn take(&self, account: usize, person: u64, template: &str) -> bool {
        let mut store = lock(&self.store);
        match store.get_mut(&(account, person, template.to_owned())) {
            Some(Permission::Always) => true,
            Some(Permission::Times(left)) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_accepted_prompt_allows_one_message() {
        let consents = Consents::default();
        let take = || consents.take(0, 7, "template");
        assert!(!take());
        consents.grant(0, 7, "template", 1.into());
        consents.grant(0, 7, "template", 1.into());
        assert_eq!(consents.left(0, 7, "template"), Permission::Times(2));
        assert!(!consents.take(0, 8, "template") && !consents.take(0, 7, "other"));
        assert!(take() && take() && !take());
    }

    #[test]
    fn a_permanent_permission_lasts_until_it_is_revoked() {
        let consents = Consents::default();
        consents.grant(0, 7, "template", Permission::Always);
        consents.grant(0, 7, "template", 1.into());
        assert!((0..9).all(|_| consents.take(0, 7, "template")));
        consents.revoke(0, 7, "template");
        assert!(!consents.take(0, 7, "template"));
    }
}
