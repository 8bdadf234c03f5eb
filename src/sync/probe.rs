//! Before a crawl: a random handful of known followers is asked again.
//!
//! If their unionids changed, the account was bound to another Open Platform account, and everybody
//! has to be asked. Where nobody has a unionid yet, the same call finds out whether there are any now.

use std::collections::HashMap;

use super::crawl::Unionids;
use super::profiles::concerns_the_openid;
use super::{BATCH, Error, Job, ProfileApi};
use crate::model::{Follower, OpenId, Profile, UnionId};
use crate::store::followers;
use crate::wechat;

/// How many known followers are asked again each night.
const HANDFUL: u64 = 10;

/// What the probe found.
#[derive(Debug, Default)]
pub(super) struct Probe {
    /// Whether the account gives unionids.
    pub(super) unionids: Unionids,
    /// WeChat gives the known followers other unionids than before.
    pub(super) rebound: bool,
}

/// Asks; one call, or two where unionids changed.
pub(super) async fn probe(job: &Job) -> Result<Probe, Error> {
    let handful = random_known(job).await?;
    if handful.is_empty() {
        return ask_the_unknown(job).await;
    }
    let probe = Probe::default();
    probe.unionids.saw_one();
    let changed = changed(job, &handful).await?;
    let rebound = changed * 2 > handful.len();
    Ok(Probe { rebound, ..probe })
}

/// Known followers from some random row id on.
async fn random_known(job: &Job) -> Result<Vec<Follower>, Error> {
    // Past other accounts' rows, as in all reads here.
    let store = job.store.for_all_rows();
    let reader = store.reader();
    let range = followers::find_id_range(reader, job.account).await?;
    let Some((lowest, highest)) = range else { return Ok(Vec::new()) };
    let from = rand::random_range(lowest..=highest);
    let mut found = followers::list_known_from(reader, job.account, from, HANDFUL).await?;
    let missing = HANDFUL - found.len() as u64;
    let others = followers::list_known_from(reader, job.account, lowest, missing).await?;
    found.extend(others.into_iter().filter(|other| other.id < from));
    Ok(found)
}

/// How many people a probe would ask for.
pub(super) async fn count(job: &Job) -> Result<u64, Error> {
    let (store, account) = (job.store.for_all_rows(), job.account);
    let reader = store.reader();
    let known = followers::list_known_from(reader, account, 0, HANDFUL).await?.len();
    if known > 0 {
        return Ok(known as u64);
    }
    let unknown = followers::list_without_unionid(reader, account, most_unknown(job)).await?;
    Ok(unknown.len() as u64)
}

/// How many of those without a unionid are asked where nobody has one.
fn most_unknown(job: &Job) -> u64 {
    match job.settings.profile_api {
        ProfileApi::Batchget => BATCH as u64,
        ProfileApi::Info => HANDFUL,
    }
}

/// How many of the followers have another unionid now, each confirmed by a call of its own.
async fn changed(job: &Job, known: &[Follower]) -> Result<usize, Error> {
    let openids: Vec<_> = known.iter().map(|follower| follower.openid.clone()).collect();
    let told = unionids(ask(job, &openids).await?);
    let mut changed = 0;
    for follower in known {
        if !differs(follower, told.get(&follower.openid)) {
            continue;
        }
        match job.wechat.profile(&follower.openid).await {
            Ok(profile) => changed += usize::from(differs(follower, profile.unionid.as_ref())),
            Err(error) if concerns_the_openid(&error) => {}
            Err(source) => return Err(Error::Probe(source)),
        }
    }
    Ok(changed)
}

fn differs(follower: &Follower, told: Option<&UnionId>) -> bool {
    matches!((&follower.unionid, told), (Some(known), Some(told)) if known != told)
}

fn unionids(profiles: Vec<Profile>) -> HashMap<OpenId, UnionId> {
    let told = profiles.into_iter();
    told.filter_map(|profile| Some((profile.openid, profile.unionid?))).collect()
}

async fn ask_the_unknown(job: &Job) -> Result<Probe, Error> {
    let probe = Probe::default();
    let (store, most) = (job.store.for_all_rows(), most_unknown(job));
    let openids = followers::list_without_unionid(store.reader(), job.account, most).await?;
    if !openids.is_empty() && !unionids(ask(job, &openids).await?).is_empty() {
        probe.unionids.saw_one();
    }
    Ok(probe)
}

/// Asks for a few by the call that the account is synced with. Somebody who left may spoil a batch:
/// then nothing is learnt tonight.
async fn ask(job: &Job, openids: &[OpenId]) -> Result<Vec<Profile>, Error> {
    if job.settings.profile_api == ProfileApi::Batchget {
        return match job.wechat.profiles(openids).await {
            Ok(profiles) => Ok(profiles),
            Err(error) if is_no_outage(&error) => Ok(Vec::new()),
            Err(source) => Err(Error::Probe(source)),
        };
    }
    let mut profiles = Vec::with_capacity(openids.len());
    for openid in openids {
        match job.wechat.profile(openid).await {
            Ok(profile) => profiles.push(profile),
            Err(error) if is_no_outage(&error) => {}
            Err(source) => return Err(Error::Probe(source)),
        }
    }
    Ok(profiles)
}

fn is_no_outage(error: &wechat::Error) -> bool {
    concerns_the_openid(error) || error.class() == wechat::Class::ListSize
}
