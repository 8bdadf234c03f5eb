//! Leaves out users who were erased while a crawl fetched their profiles.

use std::borrow::Cow;
use std::collections::HashSet;

use super::reconcile::ReconciledPage;
use crate::model::OpenId;
use crate::store::followers::Row;
use crate::store::quarantine::{Conflict, Entry};
use crate::store::{AccountId, Error, Transaction, erasures};

/// The part of a page that may be written.
pub(super) struct Allowed<'p> {
    pub(super) rows: Cow<'p, [Row]>,
    pub(super) quarantined: Cow<'p, [Entry]>,
    pub(super) conflicts: Cow<'p, [Conflict]>,
}

impl<'p> Allowed<'p> {
    /// Returns the page without erased users. The transaction must hold the account's shared lock.
    pub(super) async fn of(
        transaction: &Transaction,
        account: AccountId,
        page: &'p ReconciledPage,
    ) -> Result<Self, Error> {
        // A malformed openid belongs to no user and cannot be erased.
        let refused: Vec<OpenId> =
            page.quarantined.iter().filter_map(|entry| entry.openid.parse().ok()).collect();
        let rows = page.rows.iter().map(|row| (&row.profile.openid, row.profile.unionid.as_ref()));
        let users: Vec<_> = rows.chain(refused.iter().map(|openid| (openid, None))).collect();
        let erased = erasures::withhold(transaction, account, &users).await?;
        let was_erased = |text: &str| text.parse().is_ok_and(|openid| erased.contains(&openid));
        Ok(Self {
            rows: retain(&page.rows, &erased, |row| erased.contains(&row.profile.openid)),
            quarantined: retain(&page.quarantined, &erased, |entry| was_erased(&entry.openid)),
            conflicts: retain(&page.conflicts, &erased, |change| erased.contains(&change.openid)),
        })
    }
}

/// Returns the rows without those of erased users. The transaction must hold the account's shared lock.
pub(super) async fn allowed_rows<'r>(
    transaction: &Transaction,
    account: AccountId,
    rows: &'r [Row],
) -> Result<Cow<'r, [Row]>, Error> {
    let users = rows.iter().map(|row| (&row.profile.openid, row.profile.unionid.as_ref()));
    let erased = erasures::withhold(transaction, account, &users.collect::<Vec<_>>()).await?;
    Ok(retain(rows, &erased, |row| erased.contains(&row.profile.openid)))
}

/// Returns the items of users who were not erased. Copies nothing in the usual case that no user was
/// erased.
fn retain<'a, T: Clone>(
    all: &'a [T],
    erased: &HashSet<OpenId>,
    was_erased: impl Fn(&T) -> bool,
) -> Cow<'a, [T]> {
    match erased.is_empty() {
        true => Cow::Borrowed(all),
        false => Cow::Owned(all.iter().filter(|item| !was_erased(item)).cloned().collect()),
    }
}
