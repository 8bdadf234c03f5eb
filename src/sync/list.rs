//! The first stage: walks WeChat's list, ahead of the rest, and believes only a consistent page.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::Error;
use super::crawl::Stage;
use crate::clock::DatabaseClock;
use crate::model::OpenId;
use crate::store::quarantine::Entry;
use crate::wechat::{self, Class, FollowerPage};

/// A page as listed, checked against itself.
#[derive(Debug)]
pub(super) struct ListedPage {
    /// Counted from 1.
    pub(super) number: u64,
    /// When it was asked for, in milliseconds since 1970 on the database's clock.
    pub(super) listed_at: i64,
    /// WeChat's count of all followers.
    pub(super) total: u64,
    /// Well-formed openids, each once.
    pub(super) openids: Vec<OpenId>,
    /// What was listed and is no openid.
    pub(super) malformed: Vec<Entry>,
    /// Asks for the page after this one; empty at the end.
    pub(super) next_openid: String,
    /// Whether the list ends here.
    pub(super) last: bool,
    /// Its place among the [`PAGES_AT_WORK`], free once the page is committed.
    _place: Option<OwnedSemaphorePermit>,
}

/// Pages that are listed and not yet committed: one written, one whose profiles are asked for, one
/// listed. A crash asks for them again, and they are what a crawl keeps in memory.
const PAGES_AT_WORK: usize = 3;

/// Cursors that WeChat refuses before the crawl gives up.
const MOST_REFUSED_CURSORS: u32 = 3;

/// How often a page that contradicts itself is asked for.
const MOST_ASKS: u32 = 3;

/// Where a walk stands, and what it has seen of the way.
pub(super) struct Walk {
    wechat: wechat::Account,
    clock: DatabaseClock,
    number: u64,
    /// Openids listed so far.
    listed: u64,
    /// The way so far: where each page begins, the first one with an empty cursor.
    path: Vec<Step>,
    visited: HashSet<String>,
    refused: u32,
    /// The list ended before its own total, and the end has been asked for once more.
    end_doubted: bool,
}

/// A step of the way.
#[derive(Debug, Default)]
struct Step {
    cursor: String,
    /// Openids on the page that led here, where this walk has listed it.
    listed: u64,
}

impl Walk {
    /// A walk that goes on after `committed` pages, given by what they name as their next openid,
    /// with `listed` openids on them.
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
        Self { wechat, clock, number, listed, path, visited, refused: 0, end_doubted: false }
    }

    /// Walks in a task of its own.
    pub(super) fn spawn(mut self) -> Stage<ListedPage> {
        let (sender, receiver) = mpsc::channel(1);
        let places = Arc::new(Semaphore::new(PAGES_AT_WORK));
        Stage::new(receiver, async move {
            while let Ok(place) = places.clone().acquire_owned().await {
                let page = self.next().await.map(|page| ListedPage { _place: Some(place), ..page });
                let over = !matches!(&page, Ok(page) if !page.last);
                if sender.send(page).await.is_err() || over {
                    return;
                }
            }
        })
    }

    /// The page at which the walk stands.
    pub(super) async fn next(&mut self) -> Result<ListedPage, Error> {
        let mut asks = 0;
        loop {
            asks += 1;
            match self.ask().await {
                Ok(Some(page)) => return Ok(page),
                Ok(None) => {}
                Err(error @ (Error::Inconsistent { .. } | Error::Loop { .. }))
                    if asks < MOST_ASKS =>
                {
                    tracing::info!(sync.page = self.number, %error, "asking for the page again");
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks for the page once; `None` after a step back.
    async fn ask(&mut self) -> Result<Option<ListedPage>, Error> {
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

    /// The follower whose openid was the cursor has left, and WeChat knows it no more: the page
    /// before is listed again and ends with another one.
    fn step_back(&mut self, source: wechat::Error) -> Result<(), Error> {
        self.refused += 1;
        if self.refused > MOST_REFUSED_CURSORS {
            return Err(Error::Cursor { page: self.number, source });
        }
        if let Some(refused) = self.path.pop() {
            self.visited.remove(&refused.cursor);
            self.listed -= refused.listed;
        }
        tracing::info!(sync.page = self.number, "WeChat refuses the cursor; going back a page");
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
        let (openids, malformed) = sorted_out(texts);
        let listed = (openids.len() + malformed.len()) as u64;
        let so_far = self.listed + listed;
        let mut next_openid = page.next_openid.trim().to_owned();
        let end = match (listed, next_openid.as_str()) {
            // Where anybody is missing, no single answer is believed: of a page cut short or lost
            // at the end, a sweep could not tell who was on it.
            (0, next) if next.is_empty() || next == cursor => {
                if so_far < page.total && !std::mem::replace(&mut self.end_doubted, true) {
                    return inconsistent(format!("it ends the list at {so_far} of {}", page.total));
                }
                true
            }
            (0, _) => return inconsistent("it is empty and names a page after it".to_owned()),
            // Both are seen at the end, and either may be a mistake: where somebody is missing, the walk
            // continues after the last openid.
            (_, next)
                if next.is_empty() || next == cursor && so_far >= least_expected(page.total) =>
            {
                next_openid = openids.last().map(ToString::to_string).unwrap_or_default();
                so_far >= page.total
            }
            (_, _) => false,
        };
        if !end && next_openid.parse::<OpenId>().is_err() {
            return inconsistent("its next_openid is no openid".to_owned());
        }
        if !end && !self.visited.insert(next_openid.clone()) {
            return Err(Error::Loop { page: number });
        }
        // Openids behind the cursor come again, and must not hide that others are missing.
        let repeated = openids.iter().rev().position(|openid| openid.as_str() == next_openid);
        let listed = listed - repeated.unwrap_or_default() as u64;
        self.path.push(Step { cursor: next_openid.clone(), listed });
        self.listed += listed;
        self.number += 1;
        Ok(ListedPage {
            number,
            listed_at,
            total: page.total,
            openids,
            malformed,
            next_openid,
            last: end,
            _place: None,
        })
    }
}

/// How many openids a complete list of `total` holds at least: some leave while it is walked.
pub(super) fn least_expected(total: u64) -> u64 {
    // One in a hundred, and for small accounts a few more, though never half of one.
    let may_be_missing = (total / 100).max(50).min((total / 10).max(2));
    total.saturating_sub(may_be_missing)
}

/// Openids each once, and what is none. Blanks, which old answers hold, count as nothing.
fn sorted_out(listed: Vec<String>) -> (Vec<OpenId>, Vec<Entry>) {
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
