//! The second stage: which followers of a page are asked for.

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

/// A page, and what is to be asked with it.
#[derive(Debug)]
pub(super) struct PlannedPage {
    /// The page, without its openids.
    pub(super) listed: ListedPage,
    /// Openids on the page, the malformed ones included.
    pub(super) openids: u64,
    /// Who is asked for: followers of this page, and those that pages before it left over.
    pub(super) asks: Vec<Ask>,
    /// Who is left over, to fill up a batch of a later page.
    pub(super) deferred: Vec<OpenId>,
    /// Row ids of the followers on the page that are known and not asked for.
    pub(super) known: RoaringTreemap,
    /// Openids on the page that an earlier page left over: they are asked for once.
    pub(super) repeated: u64,
    /// Openids on the page of people who were erased: they are not asked for at all.
    pub(super) erased: u64,
}

/// A follower to ask for.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) openid: OpenId,
    /// What is known.
    pub(super) stored: Option<Follower>,
    /// Would spoil a batch.
    pub(super) alone: bool,
}

/// Plans pages one after the other, and keeps batches full from one to the next: on a quiet night a
/// page has a handful to ask for, and a call for each handful would be ten times the calls.
pub(super) struct Planner {
    crawl: Arc<Crawl>,
    left_over: Vec<Ask>,
}

impl Planner {
    /// A planner that goes on with what the last committed page had left over.
    pub(super) async fn resume(crawl: Arc<Crawl>, deferred: &[OpenId]) -> Result<Self, Error> {
        let left_over = crawl.asks(deferred.to_vec()).await?;
        Ok(Self { crawl, left_over })
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
                let over = planned.is_err();
                if sender.send(planned).await.is_err() || over {
                    return;
                }
            }
        })
    }

    /// Looks the page up and plans it.
    pub(super) async fn plan(&mut self, mut listed: ListedPage) -> Result<PlannedPage, Error> {
        let openids = std::mem::take(&mut listed.openids);
        let count = (openids.len() + listed.malformed.len()) as u64;
        let statuses = self.crawl.statuses(&openids).await?;
        let left_over: HashSet<_> = self.left_over.iter().map(|ask| ask.openid.clone()).collect();
        let gone = self.crawl.erased(&openids, &statuses).await?;
        let (mut known, mut asked) = (RoaringTreemap::new(), Vec::new());
        let (mut repeated, mut erased) = (0, 0);
        for openid in openids {
            if left_over.contains(&openid) {
                repeated += 1;
                continue;
            }
            match statuses.get(&openid) {
                Some(standing) if !self.crawl.is_to_be_asked(standing) => {
                    known.insert(standing.id);
                }
                None if gone.contains(&openid) => erased += 1,
                _ => asked.push(openid),
            }
        }
        let mut asks = std::mem::take(&mut self.left_over);
        asks.extend(self.crawl.asks(asked).await?);
        if !listed.last {
            self.left_over = leave_over(&mut asks);
        }
        let deferred = self.left_over.iter().map(|ask| ask.openid.clone()).collect();
        Ok(PlannedPage { listed, openids: count, asks, deferred, known, repeated, erased })
    }
}

/// Takes off the end what does not fill a batch.
fn leave_over(asks: &mut Vec<Ask>) -> Vec<Ask> {
    let (alone, mut together): (Vec<_>, Vec<_>) =
        std::mem::take(asks).into_iter().partition(|ask| ask.alone);
    let left_over = together.split_off(together.len() - together.len() % BATCH);
    together.extend(alone);
    *asks = together;
    left_over
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

    /// Who of the page is not known because they were erased.
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

    fn is_to_be_asked(&self, stored: &FollowerStatus) -> bool {
        let lacks_unionid = !stored.has_unionid && self.unionids.are_given();
        // Who had left and is listed has come back.
        !stored.subscribed || lacks_unionid || self.full || self.window.is_due(stored.id)
    }

    /// Followers to ask for, with all that is known of them.
    async fn asks(&self, openids: Vec<OpenId>) -> Result<Vec<Ask>, Error> {
        let mut stored = HashMap::new();
        if !self.first_load && !openids.is_empty() {
            let (store, account) = (&self.job.store, self.job.account);
            let list = || followers::list_by_openids(store.reader(), account, &openids);
            let found = with_retry(&self.job, list).await?;
            stored.extend(found.into_iter().map(|follower| (follower.openid.clone(), follower)));
        }
        let ask = |openid: OpenId| {
            let alone = self.job.settings.profile_api == ProfileApi::Info
                || self.quarantined.contains(openid.as_str());
            Ask { stored: stored.remove(&openid), openid, alone }
        };
        Ok(openids.into_iter().map(ask).collect())
    }
}
