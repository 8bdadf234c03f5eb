//! Confirms departures: a known follower that was not listed has left only if its profile says so.
//!
//! A page that is lost at the end of the list looks like a list whose followers have left: WeChat's own
//! total cannot tell the two apart, because it falls with every follower that leaves during the crawl.

use std::collections::HashSet;

use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use roaring::RoaringTreemap;

use super::profiles::is_about_openid;
use super::retry::with_retry;
use super::sweep::Departures;
use super::{BATCH, Error, Job, ProfileApi};
use crate::model::OpenId;
use crate::store::{followers, quarantine};
use crate::wechat::{self, Class};

/// Returns the departures without the followers that have not left, or may not have left: a follower for
/// whom WeChat returns no usable profile is kept until a later run.
pub(super) async fn recheck(job: &Job, departures: Departures) -> Result<Departures, Error> {
    if departures.ids.is_empty() {
        return Ok(departures);
    }
    let (store, account) = (&job.store, job.account);
    let quarantined = with_retry(job, || quarantine::list(store.reader(), account)).await?;
    let ids: Vec<u64> = departures.ids.iter().collect();
    let chunks: Vec<Vec<u64>> = ids.chunks(BATCH).map(<[u64]>::to_vec).collect();
    let left: Vec<RoaringTreemap> = stream::iter(chunks)
        .map(|ids| list_left(job, &quarantined, ids))
        .buffer_unordered(job.settings.concurrency)
        .try_collect()
        .await?;
    let left = left.into_iter().fold(RoaringTreemap::new(), |all, chunk| all | chunk);
    Ok(Departures { ids: left, ..departures })
}

/// Returns those of up to [`BATCH`] row ids whose followers have left.
async fn list_left(
    job: &Job,
    quarantined: &HashSet<String>,
    ids: Vec<u64>,
) -> Result<RoaringTreemap, Error> {
    let list = || followers::list_openids(job.store.reader(), job.account, &ids);
    let known = with_retry(job, list).await?;
    let openids: Vec<OpenId> = known.iter().map(|(_, openid)| openid.clone()).collect();
    let left = match job.settings.profile_api {
        ProfileApi::Batchget => fetch_left(job, quarantined, &openids).await,
        ProfileApi::Info => fetch_left_singly(job, quarantined, &openids).await,
    };
    let left: HashSet<OpenId> = left.map_err(Error::Profile)?.into_iter().collect();
    Ok(known.into_iter().filter(|(_, openid)| left.contains(openid)).map(|(id, _)| id).collect())
}

/// Fetches profiles in one call. A refused call is split in halves.
fn fetch_left<'a>(
    job: &'a Job,
    quarantined: &'a HashSet<String>,
    openids: &'a [OpenId],
) -> BoxFuture<'a, Result<Vec<OpenId>, wechat::Error>> {
    Box::pin(async move {
        if openids.len() <= 1 {
            return fetch_left_singly(job, quarantined, openids).await;
        }
        match job.wechat.profiles(openids).await {
            Ok(profiles) => {
                let profiles = profiles.into_iter().filter(|profile| !profile.subscribed);
                Ok(profiles.map(|profile| profile.openid).collect())
            }
            Err(error) if is_about_openid(&error) || error.class() == Class::ListSize => {
                let (first, second) = openids.split_at(openids.len() / 2);
                let mut left = fetch_left(job, quarantined, first).await?;
                left.extend(fetch_left(job, quarantined, second).await?);
                Ok(left)
            }
            Err(error) => Err(error),
        }
    })
}

async fn fetch_left_singly(
    job: &Job,
    quarantined: &HashSet<String>,
    openids: &[OpenId],
) -> Result<Vec<OpenId>, wechat::Error> {
    let mut left = Vec::new();
    for openid in openids {
        let has_left = match job.wechat.profile(openid).await {
            Ok(profile) => profile.openid == *openid && !profile.subscribed,
            // WeChat no longer knows the user. It also refuses quarantined users, whether they follow or not.
            Err(error) if error.class() == Class::Person => !quarantined.contains(openid.as_str()),
            Err(error) if is_about_openid(&error) => false,
            Err(error) => return Err(error),
        };
        if has_left {
            left.push(openid.clone());
        }
    }
    Ok(left)
}
