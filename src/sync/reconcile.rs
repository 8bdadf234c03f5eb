//! Turns a page's answers into rows: finds what changed, and fetches profiles again whose unionid
//! contradicts the rest of the page or the database. Writes nothing.

use std::collections::{HashMap, HashSet};

use roaring::RoaringTreemap;

use super::Error;
use super::crawl::Crawl;
use super::plan::{Lookup, PlannedPage};
use super::profiles::{Answer, AnsweredPage, answered_unionid, fetch_profile};
use super::retry::with_retry;
use crate::model::{OpenId, Profile, UnionId};
use crate::store::followers::{self, Row};
use crate::store::quarantine::{Conflict, Entry};

/// A page that is ready to be written.
#[derive(Debug)]
pub(super) struct ReconciledPage {
    pub(super) planned: PlannedPage,
    /// Row ids of the known followers that still follow.
    pub(super) seen: RoaringTreemap,
    /// New or changed followers, sorted by openid.
    pub(super) rows: Vec<Row>,
    /// The number of fetched profiles, changed or not.
    pub(super) fetched: u64,
    /// The number of followers that left after the page was listed.
    pub(super) vanished: u64,
    /// Openids to quarantine.
    pub(super) quarantined: Vec<Entry>,
    /// Quarantined openids whose profiles WeChat returned again.
    pub(super) released: Vec<OpenId>,
    /// Changed unionids.
    pub(super) conflicts: Vec<Conflict>,
    /// Openids stored with a unionid that turned out to be another follower's.
    pub(super) cleared: Vec<OpenId>,
}

/// Reconciles a page with the database. Calls WeChat only if unionids collide.
pub(super) async fn reconcile(
    crawl: &Crawl,
    mut page: AnsweredPage,
) -> Result<ReconciledPage, Error> {
    fail_if_all_refused(crawl, &page)?;
    let corrections = correct_collisions(crawl, &mut page).await?;
    let mut reconciled = ReconciledPage {
        rows: corrections.rows,
        fetched: 0,
        vanished: 0,
        quarantined: std::mem::take(&mut page.planned.listed.malformed),
        released: Vec::new(),
        conflicts: corrections.conflicts,
        cleared: corrections.cleared,
        seen: page.planned.known.clone(),
        planned: page.planned,
    };
    reconciled.rows.reserve(page.answers.len());
    for (lookup, answer) in page.answers {
        let was_quarantined = crawl.is_quarantined(&lookup);
        reconciled.add(lookup, answer, was_quarantined);
    }
    reconciled.rows.sort_unstable_by(|a, b| a.profile.openid.cmp(&b.profile.openid));
    // One statement cannot write the same row twice.
    reconciled.rows.dedup_by(|a, b| a.profile.openid == b.profile.openid);
    Ok(reconciled)
}

/// Fails if WeChat refused every follower of the page: then the cause is the account and not the
/// followers.
fn fail_if_all_refused(crawl: &Crawl, page: &AnsweredPage) -> Result<(), Error> {
    let fresh = page.answers.iter().filter(|(lookup, _)| !crawl.is_quarantined(lookup));
    let reasons: Vec<_> = fresh
        .map(|(_, answer)| match answer {
            Answer::Refused(reason) => Some(reason),
            _ => None,
        })
        .collect();
    if reasons.len() <= MAX_INSIGNIFICANT_ANSWERS || !page.planned.known.is_empty() {
        return Ok(());
    }
    match reasons.iter().all(Option::is_some) {
        true => Err(Error::AllRefused {
            requested: reasons.len() as u64,
            reason: reasons.into_iter().flatten().next().cloned().unwrap_or_default(),
        }),
        false => Ok(()),
    }
}

/// Refusals of a whole page with at most this many answers are no evidence against the account.
const MAX_INSIGNIFICANT_ANSWERS: usize = 3;

impl ReconciledPage {
    fn add(&mut self, lookup: Lookup, answer: Answer, was_quarantined: bool) {
        // A follower who left does not count as seen: the sweep marks departures, after its checks.
        if let (Some(stored), false) = (&lookup.stored, answer == Answer::Left) {
            self.seen.insert(stored.id);
        }
        match answer {
            Answer::Follower { profile, unionid_absent } => {
                self.fetched += 1;
                if was_quarantined {
                    self.released.push(lookup.openid.clone());
                }
                self.add_profile(lookup, profile, unionid_absent);
            }
            Answer::Left => self.vanished += 1,
            Answer::Refused(reason) => {
                self.quarantined.push(Entry { openid: lookup.openid.into(), reason });
            }
        }
    }

    fn add_profile(&mut self, lookup: Lookup, profile: Profile, unionid_absent: bool) {
        let Some(stored) = lookup.stored else {
            return self.rows.push(Row { profile, unionid_absent });
        };
        let gained = profile.unionid.is_some() && profile.unionid != stored.unionid;
        // A batch answer does not overrule an absence that a separate request confirmed.
        let newly_absent = unionid_absent && stored.unionid.is_none() && !stored.unionid_absent;
        if let (Some(old), Some(new)) = (&stored.unionid, &profile.unionid)
            && old != new
        {
            let (old, new) = (old.clone(), new.clone());
            self.conflicts.push(Conflict { openid: lookup.openid, old, new });
        }
        if gained || newly_absent || !stored.subscribed || profile.digest() != stored.digest {
            let still_absent = stored.unionid_absent && profile.unionid.is_none();
            self.rows.push(Row { profile, unionid_absent: newly_absent || still_absent });
        }
    }
}

/// Followers of the account that have the same unionid.
struct Collisions {
    /// The followers on the page.
    on_page: HashSet<OpenId>,
    /// The stored followers that are not on the page, with their stored unionid.
    stored: HashMap<OpenId, UnionId>,
}

/// Corrections to stored followers that are not on the page.
#[derive(Debug, Default)]
struct Corrections {
    rows: Vec<Row>,
    cleared: Vec<OpenId>,
    conflicts: Vec<Conflict>,
}

/// Resolves unionid collisions. Two followers of one account cannot share a unionid: if they would, on
/// this page or with a stored follower, each of them is fetched separately, until every collision
/// involves only followers that were fetched this way.
async fn correct_collisions(crawl: &Crawl, page: &mut AnsweredPage) -> Result<Corrections, Error> {
    let mut refetched = HashSet::new();
    let collisions = loop {
        let collisions = find_collisions(crawl, &page.answers).await?;
        let is_new = |openid: &&OpenId| !refetched.contains(*openid);
        let new: HashSet<_> = collisions.on_page.iter().filter(is_new).cloned().collect();
        if new.is_empty() {
            break collisions;
        }
        for (lookup, answer) in &mut page.answers {
            if new.contains(&lookup.openid) {
                *answer = refetch(crawl, &lookup.openid).await?;
            }
        }
        refetched.extend(new);
    };
    correct_stored(crawl, collisions.stored).await
}

async fn refetch(crawl: &Crawl, openid: &OpenId) -> Result<Answer, Error> {
    Ok(match fetch_profile(crawl, openid).await? {
        Some(profile) if !profile.subscribed => Answer::Left,
        Some(profile) => Answer::Follower { unionid_absent: profile.unionid.is_none(), profile },
        None => Answer::Refused("its unionid belongs to another follower".to_owned()),
    })
}

/// Fetches stored followers again whose unionid belongs to a follower on the page, as a separate
/// request confirmed.
async fn correct_stored(
    crawl: &Crawl,
    stored: HashMap<OpenId, UnionId>,
) -> Result<Corrections, Error> {
    let mut corrections = Corrections::default();
    for (openid, old) in stored {
        let profile = fetch_profile(crawl, &openid).await?;
        match profile.filter(|profile| profile.subscribed && profile.unionid.is_some()) {
            Some(profile) if profile.unionid.as_ref() == Some(&old) => {}
            Some(profile) => {
                if let Some(new) = profile.unionid.clone() {
                    corrections.conflicts.push(Conflict { openid, old, new });
                }
                corrections.rows.push(Row { unionid_absent: false, profile });
            }
            // WeChat confirmed the unionid for the other follower, and returned none for this one.
            None => corrections.cleared.push(openid),
        }
    }
    Ok(corrections)
}

async fn find_collisions(crawl: &Crawl, answers: &[(Lookup, Answer)]) -> Result<Collisions, Error> {
    let mut holders: HashMap<&UnionId, &OpenId> = HashMap::with_capacity(answers.len());
    let mut found = Collisions { on_page: HashSet::new(), stored: HashMap::new() };
    for (openid, unionid) in answers.iter().filter_map(answered_unionid) {
        if let Some(other) = holders.insert(unionid, openid)
            && other != openid
        {
            found.on_page.extend([openid.clone(), other.clone()]);
        }
    }
    if crawl.first_load {
        return Ok(found);
    }
    let changed = answers.iter().filter(|answer| is_changed(answer)).filter_map(answered_unionid);
    let unionids: Vec<_> = changed.map(|(_, unionid)| unionid.clone()).collect();
    let on_page: HashSet<_> = answers.iter().map(|(lookup, _)| &lookup.openid).collect();
    let (store, account) = (&crawl.job.store, crawl.job.account);
    let list = || followers::list_holders(store.reader(), account, &unionids);
    for (unionid, openid) in with_retry(&crawl.job, list).await? {
        if let Some(claimant) = holders.get(&unionid).filter(|other| ***other != openid) {
            found.on_page.insert((*claimant).clone());
            // If the stored holder is on the page too, its own answer applies.
            if !on_page.contains(&openid) {
                found.stored.insert(openid, unionid);
            }
        }
    }
    Ok(found)
}

fn is_changed((lookup, answer): &(Lookup, Answer)) -> bool {
    let known = lookup.stored.as_ref().and_then(|stored| stored.unionid.as_ref());
    matches!(answer, Answer::Follower { profile, .. } if profile.unionid.as_ref() != known)
}
