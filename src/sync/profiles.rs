//! The third stage: fetches profiles and rejects answers that cannot be right.
//!
//! WeChat refuses a whole batch for one bad openid, leaves out rows, returns blank unionids, and has
//! been seen giving rows the unionids of their neighbours. A refused batch is split in halves down to
//! the bad openid. A follower whose unionid is missing or changed is requested again separately. If a
//! batch contradicts itself or those separate answers, it is discarded and all its followers are
//! requested one by one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::crawl::{Crawl, Stage};
use super::plan::{Lookup, PlannedPage};
use super::{BATCH, Error};
use crate::model::{OpenId, Profile, UnionId};
use crate::wechat::{self, Class};

/// WeChat's answer for one follower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The user follows the account.
    Follower {
        profile: Profile,
        /// Whether a separate request confirmed that the profile has no unionid.
        unionid_absent: bool,
    },
    /// The user left after the page was listed.
    Left,
    /// WeChat refused the openid, for this reason.
    Refused(String),
}

/// A page with all answers.
#[derive(Debug)]
pub(super) struct AnsweredPage {
    pub(super) planned: PlannedPage,
    pub(super) answers: Vec<(Lookup, Answer)>,
}

/// A part of a page's lookups. The last chunk of a page has no lookups and carries the page itself.
struct Chunk {
    page: u64,
    lookups: Vec<Lookup>,
    planned: Option<PlannedPage>,
}

/// Fetches the profiles of planned pages. The answered pages keep the order of the list.
pub(super) fn spawn(crawl: Arc<Crawl>, pages: Stage<PlannedPage>) -> Stage<AnsweredPage> {
    let (sender, queue) = mpsc::channel(1);
    Stage::new(queue, async move {
        // The client's concurrency limit bounds the calls in flight. Twice as many chunks keep it saturated
        // while one slow answer holds up the chunks behind it.
        let ahead = crawl.job.settings.concurrency * 2;
        let mut answered = std::pin::pin!(
            pages
                .into_stream()
                .map_ok(|page| stream::iter(chunks(page)).map(Ok))
                .try_flatten()
                .map(|chunk| AbortOnDropHandle::new(tokio::spawn(answer(crawl.clone(), chunk))))
                .buffered(ahead)
        );
        let mut answers = Vec::new();
        while let Some(chunk) = answered.next().await {
            let page = match chunk.unwrap_or(Err(Error::StageGone)) {
                Ok((planned, chunk)) => {
                    answers.extend(chunk);
                    let Some(planned) = planned else { continue };
                    Ok(AnsweredPage { planned, answers: std::mem::take(&mut answers) })
                }
                Err(error) => Err(error),
            };
            let failed = page.is_err();
            if sender.send(page).await.is_err() || failed {
                return;
            }
        }
    })
}

fn chunks(mut page: PlannedPage) -> Vec<Chunk> {
    let number = page.listed.number;
    let chunk = |lookups| Chunk { page: number, lookups, planned: None };
    let (single, batched): (Vec<_>, Vec<_>) =
        std::mem::take(&mut page.lookups).into_iter().partition(|lookup| lookup.single);
    let mut chunks = Vec::with_capacity(batched.len() / BATCH + single.len() + 2);
    let mut batched = batched.into_iter().peekable();
    while batched.peek().is_some() {
        chunks.push(chunk(batched.by_ref().take(BATCH).collect()));
    }
    chunks.extend(single.into_iter().map(|lookup| chunk(vec![lookup])));
    chunks.push(Chunk { page: number, lookups: Vec::new(), planned: Some(page) });
    chunks
}

type AnsweredChunk = (Option<PlannedPage>, Vec<(Lookup, Answer)>);

async fn answer(crawl: Arc<Crawl>, chunk: Result<Chunk, Error>) -> Result<AnsweredChunk, Error> {
    let Chunk { page, lookups, planned } = chunk?;
    // Openids that are already quarantined say nothing new about the account.
    let fresh = lookups.iter().filter(|lookup| !crawl.is_quarantined(lookup)).count();
    crawl.refusals.record_requested(fresh);
    let answers = match lookups.as_slice() {
        [] => Vec::new(),
        [lookup] if lookup.single => {
            vec![fetch_single(&crawl, lookup).await.map_err(on_page(page))?]
        }
        _ => fetch_batch(&crawl, lookups).await.map_err(on_page(page))?,
    };
    Ok((planned, answers))
}

fn on_page(page: u64) -> impl Fn(wechat::Error) -> Error {
    move |source| Error::Profiles { page, source }
}

/// Fetches one follower by `user/info`.
async fn fetch_single(crawl: &Crawl, lookup: &Lookup) -> Result<(Lookup, Answer), wechat::Error> {
    let answer = match crawl.job.wechat.profile(&lookup.openid).await {
        Ok(profile) if profile.openid != lookup.openid => {
            Answer::Refused("WeChat returned another follower's profile".to_owned())
        }
        Ok(profile) if !profile.subscribed => Answer::Left,
        Ok(profile) => {
            if profile.unionid.is_some() {
                crawl.unionids.record_seen();
            }
            let unionid_absent = profile.unionid.is_none();
            Answer::Follower { profile, unionid_absent }
        }
        Err(error) if is_about_openid(&error) => refused(crawl, lookup, error)?,
        Err(error) => return Err(error),
    };
    Ok((lookup.clone(), answer))
}

/// Whether an error is caused by the requested openid and not by the request as such.
pub(super) fn is_about_openid(error: &wechat::Error) -> bool {
    matches!(error.class(), Class::Person | Class::Undecodable | Class::Unknown)
}

/// Counts a refusal and returns it as an answer, or as an error if there are too many refusals.
fn refused(crawl: &Crawl, lookup: &Lookup, error: wechat::Error) -> Result<Answer, wechat::Error> {
    if !crawl.is_quarantined(lookup) && crawl.refusals.record_refused() {
        return Err(error);
    }
    Ok(Answer::Refused(error.to_string()))
}

/// Fetches one profile by a separate call. Returns `None` if WeChat refuses the openid or returns
/// another follower's profile.
pub(super) async fn fetch_profile(
    crawl: &Crawl,
    openid: &OpenId,
) -> Result<Option<Profile>, Error> {
    match crawl.job.wechat.profile(openid).await {
        Ok(profile) => Ok(Some(profile).filter(|profile| profile.openid == *openid)),
        Err(error) if is_about_openid(&error) => Ok(None),
        Err(error) => Err(Error::Profile(error)),
    }
}

/// Fetches up to [`BATCH`] followers by one call, or by more calls if the answers require it.
fn fetch_batch(
    crawl: &Crawl,
    lookups: Vec<Lookup>,
) -> BoxFuture<'_, Result<Vec<(Lookup, Answer)>, wechat::Error>> {
    Box::pin(async move {
        let openids: Vec<_> = lookups.iter().map(|lookup| lookup.openid.clone()).collect();
        match crawl.job.wechat.profiles(&openids).await {
            Ok(profiles) => verify(crawl, lookups, profiles).await,
            Err(error) if is_about_openid(&error) || error.class() == Class::ListSize => {
                split(crawl, lookups, error).await
            }
            Err(error) => Err(error),
        }
    })
}

/// Fetches a refused batch in two halves. A batch of one openid is the refused one.
async fn split(
    crawl: &Crawl,
    mut lookups: Vec<Lookup>,
    error: wechat::Error,
) -> Result<Vec<(Lookup, Answer)>, wechat::Error> {
    if let [lookup] = lookups.as_slice() {
        let answer = refused(crawl, lookup, error)?;
        return Ok(vec![(lookup.clone(), answer)]);
    }
    let second = lookups.split_off(lookups.len() / 2);
    let mut answers = fetch_batch(crawl, lookups).await?;
    answers.extend(fetch_batch(crawl, second).await?);
    Ok(answers)
}

/// Turns the profiles of a batch into answers. Fetches profiles separately where the batch lacks a
/// unionid or cannot be trusted.
async fn verify(
    crawl: &Crawl,
    lookups: Vec<Lookup>,
    profiles: Vec<Profile>,
) -> Result<Vec<(Lookup, Answer)>, wechat::Error> {
    if profiles.iter().any(|profile| profile.unionid.is_some()) {
        crawl.unionids.record_seen();
    }
    let credible = is_consistent(&lookups, &profiles)
        && changes_are_confirmed(crawl, &lookups, &profiles).await?;
    let mut by_openid: HashMap<OpenId, Profile> =
        profiles.into_iter().map(|profile| (profile.openid.clone(), profile)).collect();
    let mut answers = Vec::with_capacity(lookups.len());
    for lookup in lookups {
        let answer = match by_openid.remove(&lookup.openid).filter(|_| credible) {
            Some(profile) if !profile.subscribed => (lookup, Answer::Left),
            Some(profile) if crawl.should_refetch(&lookup, &profile) => {
                fetch_single(crawl, &lookup).await?
            }
            Some(profile) => (lookup, Answer::Follower { profile, unionid_absent: false }),
            None => fetch_single(crawl, &lookup).await?,
        };
        answers.push(answer);
    }
    // A separate answer may show that the batch gave its neighbours each other's unionids.
    if credible && share_a_unionid(&answers) {
        let lookups: Vec<_> = answers.into_iter().map(|(lookup, _)| lookup).collect();
        answers = Vec::with_capacity(lookups.len());
        for lookup in &lookups {
            answers.push(fetch_single(crawl, lookup).await?);
        }
    }
    Ok(answers)
}

fn share_a_unionid(answers: &[(Lookup, Answer)]) -> bool {
    let mut unionids = HashSet::with_capacity(answers.len());
    answers.iter().filter_map(answered_unionid).any(|(_, unionid)| !unionids.insert(unionid))
}

/// Returns the openid of an answer with its unionid, if the answer contains a unionid.
pub(super) fn answered_unionid((lookup, answer): &(Lookup, Answer)) -> Option<(&OpenId, &UnionId)> {
    match answer {
        Answer::Follower { profile, .. } => Some((&lookup.openid, profile.unionid.as_ref()?)),
        _ => None,
    }
}

impl Crawl {
    /// Whether an earlier run quarantined the openid.
    pub(super) fn is_quarantined(&self, lookup: &Lookup) -> bool {
        self.quarantined.contains(lookup.openid.as_str())
    }

    /// Whether to fetch the profile separately because it has no unionid and a separate request may
    /// return one.
    fn should_refetch(&self, lookup: &Lookup, profile: &Profile) -> bool {
        let known =
            |stored: &crate::model::Follower| stored.unionid.is_some() || stored.unionid_absent;
        profile.unionid.is_none()
            && !lookup.stored.as_ref().is_some_and(known)
            && self.unionids.take_retry()
    }
}

/// Whether a batch is consistent: each profile's openid was requested and occurs once, and no two
/// profiles share a unionid.
fn is_consistent(lookups: &[Lookup], profiles: &[Profile]) -> bool {
    let requested: HashSet<_> = lookups.iter().map(|lookup| &lookup.openid).collect();
    let mut openids = HashSet::with_capacity(profiles.len());
    let mut unionids = HashSet::with_capacity(profiles.len());
    profiles.iter().all(|profile| {
        requested.contains(&profile.openid)
            && openids.insert(&profile.openid)
            && profile.unionid.as_ref().is_none_or(|unionid| unionids.insert(unionid))
    })
}

/// Whether separate requests confirm all unionids that differ from the stored ones.
async fn changes_are_confirmed(
    crawl: &Crawl,
    lookups: &[Lookup],
    profiles: &[Profile],
) -> Result<bool, wechat::Error> {
    if crawl.rebound {
        return Ok(true);
    }
    let known: HashMap<_, _> = lookups
        .iter()
        .filter_map(|lookup| Some((&lookup.openid, lookup.stored.as_ref()?.unionid.as_ref()?)))
        .collect();
    for profile in profiles {
        let (old, new) = (known.get(&profile.openid), &profile.unionid);
        let is_changed = matches!((old, new), (Some(old), Some(new)) if *old != new);
        if is_changed && !is_confirmed(crawl, profile).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn is_confirmed(crawl: &Crawl, batched: &Profile) -> Result<bool, wechat::Error> {
    match crawl.job.wechat.profile(&batched.openid).await {
        Ok(single) => Ok(single.openid == batched.openid && single.unionid == batched.unionid),
        Err(error) if is_about_openid(&error) => Ok(false),
        Err(error) => Err(error),
    }
}
