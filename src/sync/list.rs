//! The first stage: walks WeChat's follower list ahead of the other stages and accepts only consistent pages.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::Error;
use super::crawl::Stage;
use crate::clock::DatabaseClock;
use crate::model::OpenId;
use crate::store::quarantine::Entry;
use crate::wechat::{self, Class, FollowerPage};

/// A page of the follower list that passed the consistency checks.
#[derive(Debug)]
pub(super) struct ListedPage {
    /// The page number, counted from 1.
    pub(super) number: u64,
    /// When the page was requested, in database time (ms since 1970).
    pub(super) listed_at: i64,
    /// The total number of followers that WeChat reports.
    pub(super) total: u64,
    /// The well-formed openids, without duplicates.
    pub(super) openids: Vec<OpenId>,
    /// Listed texts that are not openids.
    pub(super) malformed: Vec<Entry>,
    /// The cursor of the next page; empty at the end.
    pub(super) next_openid: String,
    /// Whether the list ends here.
    pub(super) last: bool,
    /// One of [`MAX_PAGES_IN_FLIGHT`] permits, released once the page is committed.
    _permit: Option<OwnedSemaphorePermit>,
}

/// The maximum number of pages that are listed and not yet committed: one being written, one whose
/// profiles are being fetched, one listed. It bounds the memory of a crawl and the work that a crash
/// repeats.
const MAX_PAGES_IN_FLIGHT: usize = 3;

/// The crawl fails once WeChat has refused more cursors than this.
const MAX_REFUSED_CURSORS: u32 = 3;

/// How often an inconsistent page is requested in total.
const MAX_ATTEMPTS: u32 = 3;

/// A walk through the follower list: its position and the pages it has visited.
pub(super) struct Walk {
    wechat: wechat::Account,
    clock: DatabaseClock,
    number: u64,
    /// Openids listed so far.
    listed: u64,
    /// The cursor of each page so far. The first cursor is empty.
    path: Vec<Step>,
    visited: HashSet<String>,
    refused: u32,
    /// Whether the end was already requested again because the list ended before its total.
    end_rechecked: bool,
}

/// One page on the walk's path.
#[derive(Debug, Default)]
struct Step {
    cursor: String,
    /// The number of openids on the page before, if this walk listed that page.
    listed: u64,
}

impl Walk {
    /// Creates a walk that continues after the `committed` pages. They are given by their
    /// `next_openid` and hold `listed` openids in total.
    pub(super) fn new(
        wechat: wechat::Account,
        clock: DatabaseClock,
        committed: impl IntoIterator<Item = String>,
        listed: u64,
    ) -> Self {
        let mut path = vec![Step::default()];
        path.extend(committed.into_iter().map(|cursor| Step { cursor, listed: 0 }));
        let number = path.len() as u64;
        let visited = path.iter().map(|step| step.cursor.clone()).collect();
        Self { wechat, clock, number, listed, path, visited, refused: 0, end_rechecked: false }
    }

    /// Walks the list in a separate task.
    pub(super) fn spawn(mut self) -> Stage<ListedPage> {
        let (sender, receiver) = mpsc::channel(1);
        let permits = Arc::new(Semaphore::new(MAX_PAGES_IN_FLIGHT));
        Stage::new(receiver, async move {
            while let Ok(permit) = permits.clone().acquire_owned().await {
                let page = self.next().await;
                let page = page.map(|page| ListedPage { _permit: Some(permit), ..page });
                let done = !matches!(&page, Ok(page) if !page.last);
                if sender.send(page).await.is_err() || done {
                    return;
                }
            }
        })
    }

    /// Returns the next page and moves on.
    pub(super) async fn next(&mut self) -> Result<ListedPage, Error> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.fetch().await {
                Ok(Some(page)) => return Ok(page),
                Ok(None) => {}
                Err(error @ (Error::Inconsistent { .. } | Error::Loop { .. }))
                    if attempts < MAX_ATTEMPTS =>
                {
                    tracing::info!(sync.page = self.number, %error, "requesting the page again");
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Requests the page once. Returns `None` if the walk had to step back a page.
    async fn fetch(&mut self) -> Result<Option<ListedPage>, Error> {
        let listed_at = self.clock.now_ms();
        let cursor = self.path.last().map(|step| step.cursor.clone()).unwrap_or_default();
        let after = (!cursor.is_empty()).then_some(cursor.as_str());
        match self.wechat.list_followers(after).await {
            Ok(page) => self.accept(&cursor, page, listed_at).map(Some),
            Err(source) if after.is_some() && source.class() == Class::Person => {
                self.step_back(source)?;
                Ok(None)
            }
            Err(source) => Err(Error::Page { page: self.number, source }),
        }
    }

    /// Goes back one page. WeChat refuses a cursor if the follower with that openid has left; listing
    /// the previous page again gives another cursor.
    fn step_back(&mut self, source: wechat::Error) -> Result<(), Error> {
        self.refused += 1;
        if self.refused > MAX_REFUSED_CURSORS {
            return Err(Error::Cursor { page: self.number, source });
        }
        if let Some(refused) = self.path.pop() {
            self.visited.remove(&refused.cursor);
            self.listed -= refused.listed;
        }
        tracing::info!(sync.page = self.number, "WeChat refused the cursor, going back one page");
        Ok(())
    }

    fn accept(
        &mut self,
        cursor: &str,
        page: FollowerPage,
        listed_at: i64,
    ) -> Result<ListedPage, Error> {
        let number = self.number;
        let inconsistent = |problem| Err(Error::Inconsistent { page: number, problem });
        let texts = page.openids.unwrap_or_default();
        let blanks = texts.iter().filter(|text| text.trim().is_empty()).count() as u64;
        let answered = texts.len() as u64;
        if page.count != answered && page.count != answered - blanks {
            let problem = format!("it counts {} openids and lists {answered}", page.count);
            return inconsistent(problem);
        }
        let (openids, malformed) = parse_openids(texts);
        let listed = (openids.len() + malformed.len()) as u64;
        let so_far = self.listed + listed;
        let mut next_openid = page.next_openid.trim().to_owned();
        let end = match (listed, next_openid.as_str()) {
            // If followers are missing, one answer is not enough: a page may be truncated or lost at
            // the end, and a sweep could not know who was on it.
            (0, next) if next.is_empty() || next == cursor => {
                if so_far < page.total && !std::mem::replace(&mut self.end_rechecked, true) {
                    return inconsistent(format!("it ends the list at {so_far} of {}", page.total));
                }
                true
            }
            (0, _) => return inconsistent("it is empty but has a next_openid".to_owned()),
            // An empty next_openid is documented as the end, a repeated cursor has been seen there, and
            // both also occur by mistake. If in doubt, the walk continues after the last openid.
            (_, next)
                if next.is_empty() || next == cursor && so_far >= min_expected(page.total) =>
            {
                let end = next.is_empty() && so_far >= page.total;
                next_openid = openids.last().map(ToString::to_string).unwrap_or_default();
                end
            }
            (_, _) => false,
        };
        if !end && next_openid.parse::<OpenId>().is_err() {
            return inconsistent("its next_openid is not an openid".to_owned());
        }
        if !end && !self.visited.insert(next_openid.clone()) {
            return Err(Error::Loop { page: number });
        }
        // Openids after the cursor are listed again on the next page. Counting them twice would hide
        // missing followers.
        let repeated = openids.iter().rev().position(|openid| openid.as_str() == next_openid);
        let listed = listed - repeated.unwrap_or_default() as u64;
        self.path.push(Step { cursor: next_openid.clone(), listed });
        self.listed += listed;
        self.number += 1;
        self.end_rechecked = false;
        Ok(ListedPage {
            number,
            listed_at,
            total: page.total,
            openids,
            malformed,
            next_openid,
            last: end,
            _permit: None,
        })
    }
}

/// Returns the minimum number of openids in a complete list of `total` followers. Some followers
/// leave during the walk.
pub(super) fn min_expected(total: u64) -> u64 {
    // 1% may be missing, or 50 if that is more, but no more than a tenth of the list (or 2).
    let may_be_missing = (total / 100).max(50).min((total / 10).max(2));
    total.saturating_sub(may_be_missing)
}

/// Splits the listed texts into openids without duplicates, and texts that are not openids. Blank
/// texts, which older answers contain, are ignored.
fn parse_openids(listed: Vec<String>) -> (Vec<OpenId>, Vec<Entry>) {
    let mut seen = HashSet::with_capacity(listed.len());
    let mut openids = Vec::with_capacity(listed.len());
    let mut malformed = Vec::new();
    for text in listed {
        if text.trim().is_empty() || !seen.insert(text.trim().to_owned()) {
            continue;
        }
        match text.parse::<OpenId>() {
            Ok(openid) => openids.push(openid),
            Err(error) => malformed.push(Entry { reason: error.to_string(), openid: text }),
        }
    }
    (openids, malformed)
}
