//! The second stage: selects the followers of a page whose profiles are fetched.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use roaring::RoaringTreemap;
use tokio::sync::mpsc;

use super::crawl::{Crawl, Stage};
use super::list::ListedPage;
use super::retry::with_retry;
use super::{BATCH, Error, ProfileApi};
use crate::model::{Follower, OpenId};
use crate::store::erasures;
use crate::store::followers::{self, FollowerStatus};

/// A page and the profiles to fetch with it.
#[derive(Debug)]
pub(super) struct PlannedPage {
    /// The page, without its openids.
    pub(super) listed: ListedPage,
    /// The number of openids on the page, including malformed ones.
    pub(super) openids: u64,
    /// The profiles to fetch: followers of this page and those that earlier pages deferred.
    pub(super) lookups: Vec<Lookup>,
    /// Followers deferred to fill a batch of a later page.
    pub(super) deferred: Vec<OpenId>,
    /// Row ids of the known followers on the page whose profiles are not fetched.
    pub(super) known: RoaringTreemap,
    /// The number of openids on the page that an earlier page deferred. Their profiles are fetched
    /// only once.
    pub(super) repeated: u64,
    /// The number of openids on the page that belong to erased users. Their profiles are not fetched.
    pub(super) erased: u64,
}

/// A profile to fetch.
#[derive(Debug, Clone)]
pub(super) struct Lookup {
    pub(super) openid: OpenId,
    /// The follower as stored, if known.
    pub(super) stored: Option<Follower>,
    /// Whether to fetch the profile by a separate call instead of in a batch.
    pub(super) single: bool,
}

/// Plans pages in order and fills batches across pages. On a quiet night each page has only a few
/// profiles to fetch, and one call per page would mean ten times the calls.
pub(super) struct Planner {
    crawl: Arc<Crawl>,
    deferred: Vec<Lookup>,
}

impl Planner {
    /// Creates a planner that continues with the followers that the last committed page deferred.
    pub(super) async fn resume(crawl: Arc<Crawl>, deferred: &[OpenId]) -> Result<Self, Error> {
        let deferred = crawl.lookups(deferred.to_vec()).await?;
        Ok(Self { crawl, deferred })
    }

    /// Plans pages as they are listed.
    pub(super) fn spawn(mut self, mut pages: Stage<ListedPage>) -> Stage<PlannedPage> {
        let (sender, queue) = mpsc::channel(1);
        Stage::new(queue, async move {
            while let Some(page) = pages.next().await {
                let planned = match page {
                    Ok(page) => self.plan(page).await,
                    Err(error) => Err(error),
                };
                let failed = planned.is_err();
                if sender.send(planned).await.is_err() || failed {
                    return;
                }
            }
        })
    }

    /// Compares the page with the database and selects the profiles to fetch.
    pub(super) async fn plan(&mut self, mut listed: ListedPage) -> Result<PlannedPage, Error> {
        let openids = std::mem::take(&mut listed.openids);
        let count = (openids.len() + listed.malformed.len()) as u64;
        let statuses = self.crawl.statuses(&openids).await?;
        let deferred: HashSet<_> =
            self.deferred.iter().map(|lookup| lookup.openid.clone()).collect();
        let erased_openids = self.crawl.erased(&openids, &statuses).await?;
        let (mut known, mut needed) = (RoaringTreemap::new(), Vec::new());
        let (mut repeated, mut erased) = (0, 0);
        for openid in openids {
            if deferred.contains(&openid) {
                repeated += 1;
                continue;
            }
            match statuses.get(&openid) {
                Some(status) if !self.crawl.needs_lookup(status) => {
                    known.insert(status.id);
                }
                None if erased_openids.contains(&openid) => erased += 1,
                _ => needed.push(openid),
            }
        }
        let mut lookups = std::mem::take(&mut self.deferred);
        lookups.extend(self.crawl.lookups(needed).await?);
        if !listed.last {
            self.deferred = split_off_partial_batch(&mut lookups);
        }
        let deferred = self.deferred.iter().map(|lookup| lookup.openid.clone()).collect();
        Ok(PlannedPage { listed, openids: count, lookups, deferred, known, repeated, erased })
    }
}

/// Removes the lookups that do not fill a batch from the end, and returns them.
fn split_off_partial_batch(lookups: &mut Vec<Lookup>) -> Vec<Lookup> {
    let (single, mut batched): (Vec<_>, Vec<_>) =
        std::mem::take(lookups).into_iter().partition(|lookup| lookup.single);
    let partial = batched.split_off(batched.len() - batched.len() % BATCH);
    batched.extend(single);
    *lookups = batched;
    partial
}

impl Crawl {
    async fn statuses(&self, openids: &[OpenId]) -> Result<HashMap<OpenId, FollowerStatus>, Error> {
        if self.first_load {
            return Ok(HashMap::new());
        }
        let (store, account) = (&self.job.store, self.job.account);
        let list = || followers::list_statuses(store.reader(), account, openids);
        with_retry(&self.job, list).await
    }

    /// Returns the openids that are not stored because their users were erased.
    async fn erased(
        &self,
        openids: &[OpenId],
        statuses: &HashMap<OpenId, FollowerStatus>,
    ) -> Result<HashSet<OpenId>, Error> {
        let is_unknown = |openid: &&OpenId| !statuses.contains_key(*openid);
        let unknown: Vec<_> = openids.iter().filter(is_unknown).collect();
        let (store, account) = (&self.job.store, self.job.account);
        let list = || erasures::list_erased(store.reader(), account, &unknown);
        with_retry(&self.job, list).await
    }

    fn needs_lookup(&self, stored: &FollowerStatus) -> bool {
        let lacks_unionid = !stored.has_unionid && self.unionids.are_seen();
        // A listed follower that is stored as departed has come back.
        !stored.subscribed || lacks_unionid || self.full || self.window.is_due(stored.id)
    }

    /// Returns a lookup for each openid, with the follower as stored.
    async fn lookups(&self, openids: Vec<OpenId>) -> Result<Vec<Lookup>, Error> {
        let mut stored = HashMap::new();
        if !self.first_load && !openids.is_empty() {
            let (store, account) = (&self.job.store, self.job.account);
            let list = || followers::list_by_openids(store.reader(), account, &openids);
            let found = with_retry(&self.job, list).await?;
            stored.extend(found.into_iter().map(|follower| (follower.openid.clone(), follower)));
        }
        let lookup = |openid: OpenId| {
            let single = self.job.settings.profile_api == ProfileApi::Info
                || self.quarantined.contains(openid.as_str());
            Lookup { stored: stored.remove(&openid), openid, single }
        };
        Ok(openids.into_iter().map(lookup).collect())
    }
}
