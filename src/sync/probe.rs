//! The check before a crawl: fetches the profiles of a random sample of known followers.
//!
//! If their unionids changed, the account was bound to another Open Platform account, and all profiles
//! must be fetched again. If no follower has a unionid yet, the same call detects whether WeChat
//! returns unionids now.

use std::collections::HashMap;

use super::crawl::Unionids;
use super::profiles::is_about_openid;
use super::{BATCH, Error, Job, ProfileApi};
use crate::model::{Follower, OpenId, Profile, UnionId};
use crate::store::followers;
use crate::wechat;

/// The number of known followers in the sample.
const SAMPLE_SIZE: u64 = 10;

/// The result of the probe.
#[derive(Debug, Default)]
pub(super) struct Probe {
    /// Whether WeChat returns unionids for the account.
    pub(super) unionids: Unionids,
    /// Whether the unionids of most followers in the sample changed.
    pub(super) rebound: bool,
}

/// Probes the account. If unionids changed, confirms each change by a separate call.
pub(super) async fn probe(job: &Job) -> Result<Probe, Error> {
    let sample = random_sample(job).await?;
    if sample.is_empty() {
        return probe_for_unionids(job).await;
    }
    let probe = Probe::default();
    probe.unionids.record_seen();
    let changed = count_changed(job, &sample).await?;
    let rebound = changed * 2 > sample.len();
    Ok(Probe { rebound, ..probe })
}

/// Returns followers with known unionids, starting at a random row id.
async fn random_sample(job: &Job) -> Result<Vec<Follower>, Error> {
    // All queries here may scan the rows of other accounts.
    let store = job.store.for_all_rows();
    let reader = store.reader();
    let range = followers::find_id_range(reader, job.account).await?;
    let Some((lowest, highest)) = range else { return Ok(Vec::new()) };
    let from = rand::random_range(lowest..=highest);
    let mut sample = followers::list_known_from(reader, job.account, from, SAMPLE_SIZE).await?;
    let missing = SAMPLE_SIZE - sample.len() as u64;
    let others = followers::list_known_from(reader, job.account, lowest, missing).await?;
    sample.extend(others.into_iter().filter(|other| other.id < from));
    Ok(sample)
}

/// Returns the number of profiles that a probe would fetch.
pub(super) async fn count(job: &Job) -> Result<u64, Error> {
    let (store, account) = (job.store.for_all_rows(), job.account);
    let reader = store.reader();
    let known = followers::list_known_from(reader, account, 0, SAMPLE_SIZE).await?.len();
    if known > 0 {
        return Ok(known as u64);
    }
    let limit = max_without_unionid(job);
    let without_unionid = followers::list_without_unionid(reader, account, limit).await?;
    Ok(without_unionid.len() as u64)
}

/// The size of the sample if no follower has a unionid.
fn max_without_unionid(job: &Job) -> u64 {
    match job.settings.profile_api {
        ProfileApi::Batchget => BATCH as u64,
        ProfileApi::Info => SAMPLE_SIZE,
    }
}

/// Counts the followers whose unionid changed, each confirmed by a separate call.
async fn count_changed(job: &Job, known: &[Follower]) -> Result<usize, Error> {
    let openids: Vec<_> = known.iter().map(|follower| follower.openid.clone()).collect();
    let current = unionids(fetch(job, &openids).await?);
    let mut changed = 0;
    for follower in known {
        if !differs(follower, current.get(&follower.openid)) {
            continue;
        }
        match job.wechat.profile(&follower.openid).await {
            Ok(profile) => changed += usize::from(differs(follower, profile.unionid.as_ref())),
            Err(error) if is_about_openid(&error) => {}
            Err(source) => return Err(Error::Probe(source)),
        }
    }
    Ok(changed)
}

fn differs(follower: &Follower, current: Option<&UnionId>) -> bool {
    matches!((&follower.unionid, current), (Some(known), Some(current)) if known != current)
}

fn unionids(profiles: Vec<Profile>) -> HashMap<OpenId, UnionId> {
    let profiles = profiles.into_iter();
    profiles.filter_map(|profile| Some((profile.openid, profile.unionid?))).collect()
}

/// Checks whether WeChat now returns unionids for followers without one.
async fn probe_for_unionids(job: &Job) -> Result<Probe, Error> {
    let probe = Probe::default();
    let (store, limit) = (job.store.for_all_rows(), max_without_unionid(job));
    let openids = followers::list_without_unionid(store.reader(), job.account, limit).await?;
    if !openids.is_empty() && !unionids(fetch(job, &openids).await?).is_empty() {
        probe.unionids.record_seen();
    }
    Ok(probe)
}

/// Fetches profiles by the call that the account is synced with. Returns none if WeChat refuses the
/// batch, for example because one of the users left; then this night's probe has no result.
async fn fetch(job: &Job, openids: &[OpenId]) -> Result<Vec<Profile>, Error> {
    if job.settings.profile_api == ProfileApi::Batchget {
        return match job.wechat.profiles(openids).await {
            Ok(profiles) => Ok(profiles),
            Err(error) if is_refusal(&error) => Ok(Vec::new()),
            Err(source) => Err(Error::Probe(source)),
        };
    }
    let mut profiles = Vec::with_capacity(openids.len());
    for openid in openids {
        match job.wechat.profile(openid).await {
            Ok(profile) => profiles.push(profile),
            Err(error) if is_refusal(&error) => {}
            Err(source) => return Err(Error::Probe(source)),
        }
    }
    Ok(profiles)
}

/// Whether WeChat refused the openids, as opposed to an outage.
fn is_refusal(error: &wechat::Error) -> bool {
    is_about_openid(error) || error.class() == wechat::Class::ListSize
}
