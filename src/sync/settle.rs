//! Between answers and rows: what changed, what contradicts the rest of the page or the database,
//! and what is therefore asked for once more before anything is written.

use std::collections::{HashMap, HashSet};

use super::Error;
use super::crawl::Crawl;
use super::plan::{Ask, PlannedPage};
use super::profiles::{Told, ToldPage};
use crate::model::{OpenId, Profile, UnionId};
use crate::store::followers::{self, Row};
use crate::store::quarantine::{Conflict, Entry};

/// A page ready to be written.
#[derive(Debug)]
pub(super) struct SettledPage {
    pub(super) planned: PlannedPage,
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
}

/// Settles a page. Asks WeChat again only where unionids collide.
pub(super) async fn settle(crawl: &Crawl, mut page: ToldPage) -> Result<SettledPage, Error> {
    let mut corrected = correct_collisions(crawl, &mut page).await?;
    let mut settled = SettledPage {
        rows: Vec::with_capacity(page.answers.len()),
        fetched: 0,
        vanished: 0,
        quarantined: std::mem::take(&mut page.planned.listed.malformed),
        released: Vec::new(),
        conflicts: Vec::new(),
        planned: page.planned,
    };
    for (ask, told) in page.answers {
        settled.take(ask, told);
    }
    settled.rows.append(&mut corrected);
    settled.rows.sort_unstable_by(|a, b| a.profile.openid.cmp(&b.profile.openid));
    Ok(settled)
}

impl SettledPage {
    fn take(&mut self, ask: Ask, told: Told) {
        match told {
            Told::Follower { profile, unionid_absent } => {
                self.fetched += 1;
                if ask.alone {
                    self.released.push(ask.openid.clone());
                }
                self.take_profile(ask, profile, unionid_absent);
            }
            Told::Left => {
                self.vanished += 1;
                // Not seen, so that the sweep, behind its guard, decides whether it has left.
                if let Some(stored) = ask.stored {
                    self.planned.seen.remove(stored.id);
                }
            }
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

/// Two people of one account cannot share a unionid. Where they would, on this page or with
/// somebody stored, each is asked for alone; the stored ones' rows are returned.
async fn correct_collisions(crawl: &Crawl, page: &mut ToldPage) -> Result<Vec<Row>, Error> {
    let (doubtful, mut stored) = collisions(crawl, &page.answers).await?;
    let number = page.planned.listed.number;
    for (ask, told) in &mut page.answers {
        if doubtful.contains(&ask.openid) {
            stored.remove(&ask.openid);
            let answer = ask_again(crawl, number, &ask.openid).await?;
            *told = match answer {
                Some(profile) if !profile.subscribed => Told::Left,
                Some(profile) => {
                    let unionid_absent = profile.unionid.is_none();
                    Told::Follower { profile, unionid_absent }
                }
                None => Told::Refused("its unionid is another follower's".to_owned()),
            };
        }
    }
    let mut rows = Vec::new();
    for openid in stored {
        let answer = ask_again(crawl, number, &openid).await?;
        if let Some(profile) = answer.filter(|profile| profile.subscribed) {
            rows.push(Row { unionid_absent: false, profile });
        }
    }
    Ok(rows)
}

/// Followers on the page, and others stored, whose unionids collide.
async fn collisions(
    crawl: &Crawl,
    answers: &[(Ask, Told)],
) -> Result<(HashSet<OpenId>, HashSet<OpenId>), Error> {
    let mut holders: HashMap<&UnionId, &OpenId> = HashMap::with_capacity(answers.len());
    let mut doubtful = HashSet::new();
    for (openid, unionid) in answers.iter().filter_map(told_unionid) {
        if let Some(other) = holders.insert(unionid, openid)
            && other != openid
        {
            doubtful.extend([openid.clone(), other.clone()]);
        }
    }
    let mut stored = HashSet::new();
    if !crawl.first_load {
        let (store, account) = (&crawl.job.store, crawl.job.account);
        let news = answers.iter().filter(|answer| is_news(answer)).filter_map(told_unionid);
        let unionids: Vec<_> = news.map(|(_, unionid)| unionid.clone()).collect();
        for (unionid, openid) in followers::list_holders(store.reader(), account, &unionids).await?
        {
            if let Some(claimant) = holders.get(&unionid).filter(|other| ***other != openid) {
                doubtful.insert((*claimant).clone());
                stored.insert(openid);
            }
        }
    }
    Ok((doubtful, stored))
}

fn told_unionid((ask, told): &(Ask, Told)) -> Option<(&OpenId, &UnionId)> {
    match told {
        Told::Follower { profile, .. } => Some((&ask.openid, profile.unionid.as_ref()?)),
        _ => None,
    }
}

fn is_news((ask, told): &(Ask, Told)) -> bool {
    let known = ask.stored.as_ref().and_then(|stored| stored.unionid.as_ref());
    matches!(told, Told::Follower { profile, .. } if profile.unionid.as_ref() != known)
}

/// One follower by a call of its own; `None` where WeChat refuses.
pub(super) async fn ask_again(
    crawl: &Crawl,
    page: u64,
    openid: &OpenId,
) -> Result<Option<Profile>, Error> {
    use crate::wechat::Class;
    match crawl.job.wechat.profile(openid).await {
        Ok(profile) => Ok(Some(profile).filter(|profile| profile.openid == *openid)),
        Err(error) if error.class() == Class::Person => Ok(None),
        Err(source) => Err(Error::Profiles { page, source }),
    }
}
