//! People who were erased while a crawl was asking for them: what it was told of them is not written.

use std::borrow::Cow;
use std::collections::HashSet;

use super::reconcile::SettledPage;
use crate::model::OpenId;
use crate::store::followers::Row;
use crate::store::quarantine::{Conflict, Entry};
use crate::store::{AccountId, Error, Transaction, erasures};

/// What of a page may be written.
pub(super) struct Allowed<'p> {
    pub(super) rows: Cow<'p, [Row]>,
    pub(super) quarantined: Cow<'p, [Entry]>,
    pub(super) conflicts: Cow<'p, [Conflict]>,
}

impl<'p> Allowed<'p> {
    /// All of it, but for people who were erased. The transaction shares the account.
    pub(super) async fn of(
        transaction: &Transaction,
        account: AccountId,
        page: &'p SettledPage,
    ) -> Result<Self, Error> {
        // A refused openid has no row; one that is malformed is nobody's.
        let refused: Vec<OpenId> =
            page.quarantined.iter().filter_map(|entry| entry.openid.parse().ok()).collect();
        let told = page.rows.iter().map(|row| (&row.profile.openid, row.profile.unionid.as_ref()));
        let people: Vec<_> = told.chain(refused.iter().map(|openid| (openid, None))).collect();
        let erased = erasures::withhold(transaction, account, &people).await?;
        let was_erased = |text: &str| text.parse().is_ok_and(|openid| erased.contains(&openid));
        Ok(Self {
            rows: kept(&page.rows, &erased, |row| erased.contains(&row.profile.openid)),
            quarantined: kept(&page.quarantined, &erased, |entry| was_erased(&entry.openid)),
            conflicts: kept(&page.conflicts, &erased, |change| erased.contains(&change.openid)),
        })
    }
}

/// The rows without those of people who were erased. The transaction shares the account.
pub(super) async fn allowed_rows<'r>(
    transaction: &Transaction,
    account: AccountId,
    rows: &'r [Row],
) -> Result<Cow<'r, [Row]>, Error> {
    let told = rows.iter().map(|row| (&row.profile.openid, row.profile.unionid.as_ref()));
    let erased = erasures::withhold(transaction, account, &told.collect::<Vec<_>>()).await?;
    Ok(kept(rows, &erased, |row| erased.contains(&row.profile.openid)))
}

/// As a rule nobody was erased, and nothing is copied.
fn kept<'a, T: Clone>(
    all: &'a [T],
    erased: &HashSet<OpenId>,
    was_erased: impl Fn(&T) -> bool,
) -> Cow<'a, [T]> {
    match erased.is_empty() {
        true => Cow::Borrowed(all),
        false => Cow::Owned(all.iter().filter(|item| !was_erased(item)).cloned().collect()),
    }
}
