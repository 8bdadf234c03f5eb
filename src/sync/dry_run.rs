//! Forecasts a sync: lists the followers, fetches no profiles, writes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use roaring::RoaringTreemap;
use serde::Serialize;

use super::crawl::{Crawl, Refusals, Unionids};
use super::list::Walk;
use super::plan::Planner;
use super::refresh::Window;
use super::run::Usage;
use super::{BATCH, Error, Job, ProfileApi, probe};
use crate::clock::DatabaseClock;
use crate::model::AppId;
use crate::store::{accounts, followers, quarantine};

/// What a sync would change and cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// The Official Account.
    pub appid: AppId,
    /// Always `true`, so that a forecast is not mistaken for a run.
    pub dry_run: bool,
    /// Pages listed.
    pub pages: u64,
    /// Followers listed.
    pub listed: u64,
    /// Listed followers whose profile is not fetched, because they are known or erased.
    pub known: u64,
    /// Listed followers that are not stored yet.
    pub new: u64,
    /// Known followers whose profile would be fetched again.
    pub refreshed: u64,
    /// Known followers that were not listed and would be marked as having left.
    pub departures: u64,
    /// The calls a sync needs, by name. Profiles without a unionid and refused batches would need
    /// more.
    pub calls: BTreeMap<String, u64>,
}

/// Forecasts a sync of the account. Really calls `user/get`, and no other WeChat API.
pub async fn dry_run(job: &Job, full: bool) -> Result<Forecast, Error> {
    let crawl = Arc::new(prepare(job, full).await?);
    let mut forecast = Forecast {
        appid: job.wechat.appid().clone(),
        dry_run: true,
        pages: 0,
        listed: 0,
        known: 0,
        new: 0,
        refreshed: 0,
        departures: 0,
        calls: BTreeMap::new(),
    };
    let (mut seen, mut single, mut batched) = (RoaringTreemap::new(), 0, 0);
    let mut planner = Planner::resume(crawl.clone(), &[]).await?;
    let mut walk = Walk::new(job.wechat.clone(), crawl.clock, [], 0);
    loop {
        let listed = tokio::select! {
            () = job.stop.cancelled() => return Err(Error::Stopped),
            listed = walk.next() => listed?,
        };
        let page = planner.plan(listed).await?;
        seen |= &page.known;
        seen.extend(page.lookups.iter().filter_map(|lookup| Some(lookup.stored.as_ref()?.id)));
        let singles = page.lookups.iter().filter(|lookup| lookup.single).count();
        single += singles as u64;
        batched += (page.lookups.len() - singles) as u64;
        let new = page.lookups.iter().filter(|lookup| lookup.stored.is_none()).count() as u64;
        forecast.pages += u64::from(page.openids > 0);
        forecast.listed += page.openids;
        forecast.known += page.known.len() + page.repeated + page.erased;
        forecast.new += new;
        forecast.refreshed += page.lookups.len() as u64 - new;
        if page.listed.last {
            break;
        }
    }
    forecast.departures = count_departures(job, &crawl, &seen).await?;
    forecast.calls = job.wechat.calls();
    let probed = probe::count(job).await?;
    let mut batches = batched.div_ceil(BATCH as u64);
    // The probe before the crawl, and the recheck of departures after it.
    match job.settings.profile_api {
        ProfileApi::Batchget => {
            batches += u64::from(probed > 0) + forecast.departures.div_ceil(BATCH as u64);
        }
        ProfileApi::Info => single += probed + forecast.departures,
    }
    for (call, count) in [("user/info", single), ("user/info/batchget", batches)] {
        if count > 0 {
            forecast.calls.insert(call.to_owned(), count);
        }
    }
    Ok(forecast)
}

async fn prepare(job: &Job, full: bool) -> Result<Crawl, Error> {
    let (store, account) = (&job.store, job.account);
    // These queries may scan the rows of other accounts.
    let slow_store = store.for_all_rows();
    let now = store.now().await?;
    let crawled_at = accounts::find_crawled_at(store.reader(), account).await?;
    let unionids = Unionids::default();
    if !followers::list_known_from(slow_store.reader(), account, 0, 1).await?.is_empty() {
        unionids.record_seen();
    }
    Ok(Crawl {
        job: job.clone(),
        clock: DatabaseClock::from_reading(now),
        usage: Usage::none(),
        first_load: !followers::exists_before(slow_store.reader(), account, now).await?,
        never_completed: crawled_at.is_none(),
        full,
        rebound: false,
        window: Window::new(job.settings.refresh_after_days, crawled_at, now),
        quarantined: quarantine::list(store.reader(), account).await?,
        unionids,
        refusals: Refusals::default(),
    })
}

async fn count_departures(job: &Job, crawl: &Crawl, seen: &RoaringTreemap) -> Result<u64, Error> {
    let expected = super::sweep::find_unseen(job, crawl.clock.now_ms(), seen).await?;
    Ok(expected.ids.len())
}
