//! The third stage: asks for profiles, and believes only what an answer can mean.
//!
//! WeChat refuses a whole batch for one bad openid, leaves rows out, blanks unionids, and has been
//! seen giving rows the unionids of their neighbours. A refused batch is halved down to the openid
//! at fault; a hole is asked for alone, and so is a unionid that is another than the one known. A batch
//! that contradicts itself or those answers is thrown away and everybody in it is asked for alone.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::crawl::{Crawl, Stage};
use super::plan::{Ask, PlannedPage};
use super::{BATCH, Error};
use crate::model::{OpenId, Profile, UnionId};
use crate::wechat::{self, Class};

/// What WeChat told of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// Follows.
    Follower {
        profile: Profile,
        /// A single look-up confirmed that there is no unionid.
        unionid_absent: bool,
    },
    /// Left between being listed and being asked for.
    Left,
    /// Refused, for this reason.
    Refused(String),
}

/// A page with all answers.
#[derive(Debug)]
pub(super) struct ToldPage {
    pub(super) planned: PlannedPage,
    pub(super) answers: Vec<(Ask, Told)>,
}

/// Part of a page; the page itself comes with its last part.
struct Piece {
    page: u64,
    asks: Vec<Ask>,
    whole: Option<PlannedPage>,
}

/// Asks for planned pages; answers come in the order of the list.
pub(super) fn spawn(crawl: Arc<Crawl>, pages: Stage<PlannedPage>) -> Stage<ToldPage> {
    let (sender, queue) = mpsc::channel(1);
    Stage::new(queue, async move {
        // The gate bounds the calls in flight; twice as many pieces keep it busy although one slow
        // answer holds up those behind it.
        let ahead = crawl.job.settings.concurrency * 2;
        let mut answered = std::pin::pin!(
            pages
                .into_stream()
                .map_ok(|page| stream::iter(pieces(page)).map(Ok))
                .try_flatten()
                .map(|piece| AbortOnDropHandle::new(tokio::spawn(answer(crawl.clone(), piece))))
                .buffered(ahead)
        );
        let mut answers = Vec::new();
        while let Some(piece) = answered.next().await {
            let page = match piece.unwrap_or(Err(Error::StageGone)) {
                Ok((whole, told)) => {
                    answers.extend(told);
                    let Some(planned) = whole else { continue };
                    Ok(ToldPage { planned, answers: std::mem::take(&mut answers) })
                }
                Err(error) => Err(error),
            };
            let over = page.is_err();
            if sender.send(page).await.is_err() || over {
                return;
            }
        }
    })
}

fn pieces(mut page: PlannedPage) -> Vec<Piece> {
    let number = page.listed.number;
    let piece = |asks| Piece { page: number, asks, whole: None };
    let (alone, together): (Vec<_>, Vec<_>) =
        std::mem::take(&mut page.asks).into_iter().partition(|ask| ask.alone);
    let mut pieces = Vec::with_capacity(together.len() / BATCH + alone.len() + 2);
    let mut together = together.into_iter().peekable();
    while together.peek().is_some() {
        pieces.push(piece(together.by_ref().take(BATCH).collect()));
    }
    pieces.extend(alone.into_iter().map(|ask| piece(vec![ask])));
    pieces.push(Piece { page: number, asks: Vec::new(), whole: Some(page) });
    pieces
}

type Answer = (Option<PlannedPage>, Vec<(Ask, Told)>);

async fn answer(crawl: Arc<Crawl>, piece: Result<Piece, Error>) -> Result<Answer, Error> {
    let Piece { page, asks, whole } = piece?;
    // Those set aside before say nothing new about the account.
    crawl.refusals.asked(asks.iter().filter(|ask| !crawl.is_set_aside(ask)).count());
    let told = match asks.as_slice() {
        [] => Vec::new(),
        [ask] if ask.alone => vec![alone(&crawl, ask).await.map_err(at(page))?],
        _ => together(&crawl, asks).await.map_err(at(page))?,
    };
    Ok((whole, told))
}

fn at(page: u64) -> impl Fn(wechat::Error) -> Error {
    move |source| Error::Profiles { page, source }
}

/// Asks for one follower by `user/info`.
async fn alone(crawl: &Crawl, ask: &Ask) -> Result<(Ask, Told), wechat::Error> {
    let told = match crawl.job.wechat.profile(&ask.openid).await {
        Ok(profile) if profile.openid != ask.openid => {
            Told::Refused("WeChat answered for somebody else".to_owned())
        }
        Ok(profile) if !profile.subscribed => Told::Left,
        Ok(profile) => {
            if profile.unionid.is_some() {
                crawl.unionids.saw_one();
            }
            let unionid_absent = profile.unionid.is_none();
            Told::Follower { profile, unionid_absent }
        }
        Err(error) if concerns_the_openid(&error) => refused(crawl, ask, error)?,
        Err(error) => return Err(error),
    };
    Ok((ask.clone(), told))
}

/// Whether an error is about who was asked for, and not about the asking.
pub(super) fn concerns_the_openid(error: &wechat::Error) -> bool {
    matches!(error.class(), Class::Person | Class::Undecodable | Class::Unknown)
}

fn refused(crawl: &Crawl, ask: &Ask, error: wechat::Error) -> Result<Told, wechat::Error> {
    if !crawl.is_set_aside(ask) && crawl.refusals.refused_too_many() {
        return Err(error);
    }
    Ok(Told::Refused(error.to_string()))
}

/// One follower by a call of its own; `None` where WeChat refuses.
pub(super) async fn ask_again(
    crawl: &Crawl,
    page: u64,
    openid: &OpenId,
) -> Result<Option<Profile>, Error> {
    match crawl.job.wechat.profile(openid).await {
        Ok(profile) => Ok(Some(profile).filter(|profile| profile.openid == *openid)),
        Err(error) if concerns_the_openid(&error) => Ok(None),
        Err(source) => Err(Error::Profiles { page, source }),
    }
}

/// Asks for up to a hundred followers by one call, or by as many as their answers need.
fn together(
    crawl: &Crawl,
    asks: Vec<Ask>,
) -> BoxFuture<'_, Result<Vec<(Ask, Told)>, wechat::Error>> {
    Box::pin(async move {
        let openids: Vec<_> = asks.iter().map(|ask| ask.openid.clone()).collect();
        match crawl.job.wechat.profiles(&openids).await {
            Ok(profiles) => understand(crawl, asks, profiles).await,
            Err(error) if concerns_the_openid(&error) || error.class() == Class::ListSize => {
                halve(crawl, asks, error).await
            }
            Err(error) => Err(error),
        }
    })
}

async fn halve(
    crawl: &Crawl,
    mut asks: Vec<Ask>,
    error: wechat::Error,
) -> Result<Vec<(Ask, Told)>, wechat::Error> {
    if let [ask] = asks.as_slice() {
        let told = refused(crawl, ask, error)?;
        return Ok(vec![(ask.clone(), told)]);
    }
    let second = asks.split_off(asks.len() / 2);
    let mut told = together(crawl, asks).await?;
    told.extend(together(crawl, second).await?);
    Ok(told)
}

async fn understand(
    crawl: &Crawl,
    asks: Vec<Ask>,
    profiles: Vec<Profile>,
) -> Result<Vec<(Ask, Told)>, wechat::Error> {
    if profiles.iter().any(|profile| profile.unionid.is_some()) {
        crawl.unionids.saw_one();
    }
    let credible =
        is_consistent(&asks, &profiles) && changes_are_confirmed(crawl, &asks, &profiles).await?;
    let mut by_openid: HashMap<OpenId, Profile> =
        profiles.into_iter().map(|profile| (profile.openid.clone(), profile)).collect();
    let mut told = Vec::with_capacity(asks.len());
    for ask in asks {
        let told_of_it = match by_openid.remove(&ask.openid).filter(|_| credible) {
            Some(profile) if !profile.subscribed => (ask, Told::Left),
            Some(profile) if crawl.is_hole(&ask, &profile) => alone(crawl, &ask).await?,
            Some(profile) => (ask, Told::Follower { profile, unionid_absent: false }),
            None => alone(crawl, &ask).await?,
        };
        told.push(told_of_it);
    }
    // A hole's own answer may show that its neighbours have each other's unionids.
    if credible && share_a_unionid(&told) {
        let asks: Vec<_> = told.into_iter().map(|(ask, _)| ask).collect();
        told = Vec::with_capacity(asks.len());
        for ask in &asks {
            told.push(alone(crawl, ask).await?);
        }
    }
    Ok(told)
}

fn share_a_unionid(told: &[(Ask, Told)]) -> bool {
    let mut unionids = HashSet::with_capacity(told.len());
    told.iter().filter_map(told_unionid).any(|(_, unionid)| !unionids.insert(unionid))
}

/// Who has which unionid, by an answer.
pub(super) fn told_unionid((ask, told): &(Ask, Told)) -> Option<(&OpenId, &UnionId)> {
    match told {
        Told::Follower { profile, .. } => Some((&ask.openid, profile.unionid.as_ref()?)),
        _ => None,
    }
}

impl Crawl {
    /// Whether the person was set aside by an earlier run.
    pub(super) fn is_set_aside(&self, ask: &Ask) -> bool {
        self.quarantined.contains(ask.openid.as_str())
    }

    /// Whether a unionid is missing that a call of its own may bring.
    fn is_hole(&self, ask: &Ask, profile: &Profile) -> bool {
        let known =
            |stored: &crate::model::Follower| stored.unionid.is_some() || stored.unionid_absent;
        profile.unionid.is_none()
            && !ask.stored.as_ref().is_some_and(known)
            && self.unionids.worth_asking_again()
    }
}

/// Whether rows and unionids can belong together: each openid was asked for and comes once, and no
/// two people share a unionid.
fn is_consistent(asks: &[Ask], profiles: &[Profile]) -> bool {
    let asked: HashSet<_> = asks.iter().map(|ask| &ask.openid).collect();
    let mut openids = HashSet::with_capacity(profiles.len());
    let mut unionids = HashSet::with_capacity(profiles.len());
    profiles.iter().all(|profile| {
        asked.contains(&profile.openid)
            && openids.insert(&profile.openid)
            && profile.unionid.as_ref().is_none_or(|unionid| unionids.insert(unionid))
    })
}

/// Whether those whose unionid is another than the one known have it in a look-up of their own too.
async fn changes_are_confirmed(
    crawl: &Crawl,
    asks: &[Ask],
    profiles: &[Profile],
) -> Result<bool, wechat::Error> {
    if crawl.rebound {
        return Ok(true);
    }
    let known: HashMap<_, _> = asks
        .iter()
        .filter_map(|ask| Some((&ask.openid, ask.stored.as_ref()?.unionid.as_ref()?)))
        .collect();
    for profile in profiles {
        let (known, told) = (known.get(&profile.openid), &profile.unionid);
        let is_changed = matches!((known, told), (Some(known), Some(told)) if *known != told);
        if is_changed && !is_confirmed(crawl, profile).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn is_confirmed(crawl: &Crawl, told: &Profile) -> Result<bool, wechat::Error> {
    match crawl.job.wechat.profile(&told.openid).await {
        Ok(alone) => Ok(alone.openid == told.openid && alone.unionid == told.unionid),
        Err(error) if concerns_the_openid(&error) => Ok(false),
        Err(error) => Err(error),
    }
}
