//! Between answers and rows: what changed, what contradicts the rest of the page or the database,
//! and what is therefore asked for once more before anything is written.

use std::collections::{HashMap, HashSet};

use roaring::RoaringTreemap;

use super::Error;
use super::crawl::Crawl;
use super::plan::{Ask, PlannedPage};
use super::profiles::{Told, ToldPage, ask_again, told_unionid};
use super::retry::with_retry;
use crate::model::{OpenId, Profile, UnionId};
use crate::store::followers::{self, Row};
use crate::store::quarantine::{Conflict, Entry};

/// A page ready to be written.
#[derive(Debug)]
pub(super) struct SettledPage {
    pub(super) planned: PlannedPage,
    /// Row ids of the known followers who are there.
    pub(super) seen: RoaringTreemap,
    /// New or changed followers, sorted by openid.
    pub(super) rows: Vec<Row>,
    /// Answered with a follower, changed or not.
    pub(super) fetched: u64,
    /// Gone when asked.
    pub(super) vanished: u64,
    /// To be set aside.
    pub(super) quarantined: Vec<Entry>,
    /// Answered for again after having been set aside.
    pub(super) released: Vec<OpenId>,
    /// Changed unionids.
    pub(super) conflicts: Vec<Conflict>,
    /// Stored with a unionid that is proved to be another follower's.
    pub(super) cleared: Vec<OpenId>,
}

/// Settles a page. Asks WeChat again only where unionids collide.
pub(super) async fn reconcile(crawl: &Crawl, mut page: ToldPage) -> Result<SettledPage, Error> {
    refuse_if_all_refused(crawl, &page)?;
    let corrections = correct_collisions(crawl, &mut page).await?;
    let mut settled = SettledPage {
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
    settled.rows.reserve(page.answers.len());
    for (ask, told) in page.answers {
        let was_set_aside = crawl.is_set_aside(&ask);
        settled.take(ask, told, was_set_aside);
    }
    settled.rows.sort_unstable_by(|a, b| a.profile.openid.cmp(&b.profile.openid));
    // One statement cannot write a row twice.
    settled.rows.dedup_by(|a, b| a.profile.openid == b.profile.openid);
    Ok(settled)
}

/// Where a page has nobody but people WeChat refuses, it is not the people.
fn refuse_if_all_refused(crawl: &Crawl, page: &ToldPage) -> Result<(), Error> {
    let fresh = page.answers.iter().filter(|(ask, _)| !crawl.is_set_aside(ask));
    let reasons: Vec<_> = fresh
        .map(|(_, told)| match told {
            Told::Refused(reason) => Some(reason),
            _ => None,
        })
        .collect();
    if reasons.len() <= FEW || !page.planned.known.is_empty() {
        return Ok(());
    }
    match reasons.iter().all(Option::is_some) {
        true => Err(Error::AllRefused {
            asked: reasons.len() as u64,
            reason: reasons.into_iter().flatten().next().cloned().unwrap_or_default(),
        }),
        false => Ok(()),
    }
}

/// So few refused followers say nothing about the account.
const FEW: usize = 3;

impl SettledPage {
    fn take(&mut self, ask: Ask, told: Told, was_set_aside: bool) {
        // Who has left is not seen, so that the sweep decides about it behind its guard.
        if let (Some(stored), false) = (&ask.stored, told == Told::Left) {
            self.seen.insert(stored.id);
        }
        match told {
            Told::Follower { profile, unionid_absent } => {
                self.fetched += 1;
                if was_set_aside {
                    self.released.push(ask.openid.clone());
                }
                self.take_profile(ask, profile, unionid_absent);
            }
            Told::Left => self.vanished += 1,
            Told::Refused(reason) => {
                self.quarantined.push(Entry { openid: ask.openid.into(), reason });
            }
        }
    }

    fn take_profile(&mut self, ask: Ask, profile: Profile, unionid_absent: bool) {
        let Some(stored) = ask.stored else {
            return self.rows.push(Row { profile, unionid_absent });
        };
        let gained = profile.unionid.is_some() && profile.unionid != stored.unionid;
        // A look-up for a hundred says nothing about an absence that was confirmed before.
        let newly_absent = unionid_absent && stored.unionid.is_none() && !stored.unionid_absent;
        if let (Some(old), Some(new)) = (&stored.unionid, &profile.unionid)
            && old != new
        {
            let (old, new) = (old.clone(), new.clone());
            self.conflicts.push(Conflict { openid: ask.openid, old, new });
        }
        if gained || newly_absent || !stored.subscribed || profile.digest() != stored.digest {
            let still_absent = stored.unionid_absent && profile.unionid.is_none();
            self.rows.push(Row { profile, unionid_absent: newly_absent || still_absent });
        }
    }
}

/// What collides with the page: followers stored with a unionid that somebody on it has.
struct Collisions {
    /// On the page.
    doubtful: HashSet<OpenId>,
    /// Stored, with the unionid they are stored with.
    stored: HashMap<OpenId, UnionId>,
}

/// What the database needs corrected besides the page's own rows.
#[derive(Debug, Default)]
struct Corrections {
    rows: Vec<Row>,
    cleared: Vec<OpenId>,
    conflicts: Vec<Conflict>,
}

/// Two people of one account cannot share a unionid. Where they would, on this page or with
/// somebody stored, each is asked for alone, until nothing collides that was not asked.
async fn correct_collisions(crawl: &Crawl, page: &mut ToldPage) -> Result<Corrections, Error> {
    let number = page.planned.listed.number;
    let mut asked = HashSet::new();
    let collisions = loop {
        let collisions = collisions(crawl, &page.answers).await?;
        let is_new = |openid: &&OpenId| !asked.contains(*openid);
        let doubtful: HashSet<_> = collisions.doubtful.iter().filter(is_new).cloned().collect();
        if doubtful.is_empty() {
            break collisions;
        }
        for (ask, told) in &mut page.answers {
            if doubtful.contains(&ask.openid) {
                *told = told_alone(crawl, number, &ask.openid).await?;
            }
        }
        asked.extend(doubtful);
    };
    correct_stored(crawl, number, collisions.stored).await
}

async fn told_alone(crawl: &Crawl, page: u64, openid: &OpenId) -> Result<Told, Error> {
    Ok(match ask_again(crawl, page, openid).await? {
        Some(profile) if !profile.subscribed => Told::Left,
        Some(profile) => Told::Follower { unionid_absent: profile.unionid.is_none(), profile },
        None => Told::Refused("its unionid is another follower's".to_owned()),
    })
}

/// Somebody on the page has, by a look-up of their own, the unionid that these are stored with.
async fn correct_stored(
    crawl: &Crawl,
    page: u64,
    stored: HashMap<OpenId, UnionId>,
) -> Result<Corrections, Error> {
    let mut corrections = Corrections::default();
    for (openid, old) in stored {
        let profile = ask_again(crawl, page, &openid).await?;
        match profile.filter(|profile| profile.subscribed && profile.unionid.is_some()) {
            Some(profile) if profile.unionid.as_ref() == Some(&old) => {}
            Some(profile) => {
                if let Some(new) = profile.unionid.clone() {
                    corrections.conflicts.push(Conflict { openid, old, new });
                }
                corrections.rows.push(Row { unionid_absent: false, profile });
            }
            // Nothing says it is theirs, and it is proved to be the other's.
            None => corrections.cleared.push(openid),
        }
    }
    Ok(corrections)
}

async fn collisions(crawl: &Crawl, answers: &[(Ask, Told)]) -> Result<Collisions, Error> {
    let mut holders: HashMap<&UnionId, &OpenId> = HashMap::with_capacity(answers.len());
    let mut found = Collisions { doubtful: HashSet::new(), stored: HashMap::new() };
    for (openid, unionid) in answers.iter().filter_map(told_unionid) {
        if let Some(other) = holders.insert(unionid, openid)
            && other != openid
        {
            found.doubtful.extend([openid.clone(), other.clone()]);
        }
    }
    if crawl.first_load {
        return Ok(found);
    }
    let news = answers.iter().filter(|answer| is_news(answer)).filter_map(told_unionid);
    let unionids: Vec<_> = news.map(|(_, unionid)| unionid.clone()).collect();
    let on_page: HashSet<_> = answers.iter().map(|(ask, _)| &ask.openid).collect();
    let (store, account) = (&crawl.job.store, crawl.job.account);
    let list = || followers::list_holders(store.reader(), account, &unionids);
    for (unionid, openid) in with_retry(&crawl.job, list).await? {
        if let Some(claimant) = holders.get(&unionid).filter(|other| ***other != openid) {
            found.doubtful.insert((*claimant).clone());
            // Who is on the page too has an answer of their own.
            if !on_page.contains(&openid) {
                found.stored.insert(openid, unionid);
            }
        }
    }
    Ok(found)
}

fn is_news((ask, told): &(Ask, Told)) -> bool {
    let known = ask.stored.as_ref().and_then(|stored| stored.unionid.as_ref());
    matches!(told, Told::Follower { profile, .. } if profile.unionid.as_ref() != known)
}
