//! Departures after a list that has fewer followers than WeChat counts: each is checked by its profile.
//!
//! Such a list is normal while followers come and go, so it is no reason to hold the run. But a page that
//! was lost at the end of the list looks the same, and its followers have not left.

use std::collections::HashSet;

use super::crawl::Crawl;
use super::profiles::{fetch_profile, is_about_openid};
use super::retry::with_retry;
use super::sweep::Departures;
use super::{BATCH, Error, ProfileApi};
use crate::model::{OpenId, Profile};
use crate::store::followers;
use crate::wechat::Class;

/// Removes the followers from `departures` who follow the account according to their profile.
pub(super) async fn recheck(crawl: &Crawl, departures: &Departures) -> Result<Departures, Error> {
    let (store, account) = (&crawl.job.store, crawl.job.account);
    let mut confirmed = departures.clone();
    let ids: Vec<u64> = departures.ids.iter().collect();
    for ids in ids.chunks(BATCH) {
        let list = || followers::list_openids(store.reader(), account, ids);
        let known = with_retry(&crawl.job, list).await?;
        let openids: Vec<OpenId> = known.iter().map(|(_, openid)| openid.clone()).collect();
        let following = list_following(crawl, &openids).await?;
        for (id, openid) in known {
            if following.contains(&openid) {
                confirmed.ids.remove(id);
            }
        }
    }
    let missing = departures.ids.len() - confirmed.ids.len();
    if missing > 0 {
        tracing::warn!(
            app.id = %crawl.job.wechat.appid(),
            missing,
            "WeChat's list left out followers that have not unfollowed"
        );
    }
    Ok(confirmed)
}

/// Returns those of up to [`BATCH`] users who follow the account. A user whom WeChat does not know any
/// more does not follow.
async fn list_following(crawl: &Crawl, openids: &[OpenId]) -> Result<HashSet<OpenId>, Error> {
    let batch = match crawl.job.settings.profile_api {
        ProfileApi::Batchget => fetch_together(crawl, openids).await?,
        ProfileApi::Info => Vec::new(),
    };
    let mut following = HashSet::new();
    for openid in openids {
        // Rows are missing if WeChat refused the batch or left them out.
        let profile = match batch.iter().find(|profile| profile.openid == *openid) {
            Some(profile) => Some(profile.clone()),
            None => fetch_profile(crawl, 0, openid).await?,
        };
        if profile.is_some_and(|profile| profile.subscribed) {
            following.insert(openid.clone());
        }
    }
    Ok(following)
}

async fn fetch_together(crawl: &Crawl, openids: &[OpenId]) -> Result<Vec<Profile>, Error> {
    match crawl.job.wechat.profiles(openids).await {
        Err(error) if is_about_openid(&error) || error.class() == Class::ListSize => Ok(Vec::new()),
        answer => answer.map_err(|source| Error::Profiles { page: 0, source }),
    }
}
