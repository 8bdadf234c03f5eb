//! The second stage: which followers of a page are asked for.

use std::collections::HashMap;
use std::sync::Arc;

use roaring::RoaringTreemap;
use tokio::sync::mpsc;

use super::Error;
use super::crawl::{Crawl, Stage};
use super::list::ListedPage;
use crate::model::{Follower, OpenId};
use crate::store::followers;

/// A page, and what is to be asked for it.
#[derive(Debug)]
pub(super) struct PlannedPage {
    /// The page, its openids moved into `asks` or found to be known.
    pub(super) listed: ListedPage,
    /// Openids on the page, the malformed ones included.
    pub(super) openids: u64,
    /// Who is asked for.
    pub(super) asks: Vec<Ask>,
    /// Row ids of the followers on the page that were known.
    pub(super) seen: RoaringTreemap,
    /// How many of those are not asked for.
    pub(super) known: u64,
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

/// Plans pages as they are listed.
pub(super) fn spawn(crawl: Arc<Crawl>, mut pages: Stage<ListedPage>) -> Stage<PlannedPage> {
    let (sender, queue) = mpsc::channel(1);
    Stage::new(queue, async move {
        while let Some(page) = pages.next().await {
            let planned = match page {
                Ok(page) => plan(&crawl, page).await,
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
pub(super) async fn plan(crawl: &Crawl, mut listed: ListedPage) -> Result<PlannedPage, Error> {
    let mut stored = look_up(crawl, &listed.openids).await?;
    let openids = std::mem::take(&mut listed.openids);
    let mut page = PlannedPage {
        openids: (openids.len() + listed.malformed.len()) as u64,
        asks: Vec::new(),
        seen: stored.values().map(|follower| follower.id).collect(),
        known: 0,
        listed,
    };
    for openid in openids {
        let stored = stored.remove(&openid);
        if stored.as_ref().is_some_and(|stored| !crawl.is_to_be_asked(stored)) {
            page.known += 1;
        } else {
            let alone = crawl.quarantined.contains(openid.as_str());
            page.asks.push(Ask { openid, stored, alone });
        }
    }
    Ok(page)
}

async fn look_up(crawl: &Crawl, openids: &[OpenId]) -> Result<HashMap<OpenId, Follower>, Error> {
    if crawl.first_load {
        return Ok(HashMap::new());
    }
    let (store, account) = (&crawl.job.store, crawl.job.account);
    let stored = followers::list_by_openids(store.reader(), account, openids).await?;
    Ok(stored.into_iter().map(|follower| (follower.openid.clone(), follower)).collect())
}

impl Crawl {
    fn is_to_be_asked(&self, stored: &Follower) -> bool {
        let lacks_unionid = stored.unionid.is_none() && self.unionids.are_given();
        // Who had left and is listed has come back.
        !stored.subscribed || lacks_unionid || self.full || self.window.is_due(stored.id)
    }
}
