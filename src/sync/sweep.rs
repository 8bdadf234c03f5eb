//! The end of a crawl: known followers that were not listed are marked as departed, unless the result
//! looks wrong.

use chrono::DateTime;
use roaring::RoaringTreemap;

use super::list::min_expected;
use super::retry::with_retry;
use super::{Error, Job};
use crate::failpoint::failpoint;
use crate::store::runs::Record;
use crate::store::{self, Transaction, accounts, followers, runs};

/// A sweep with up to this many departures is never held for its size.
const MAX_UNCHECKED_DEPARTURES: u64 = 50;

const UNBOUND: &str = "no follower has a unionid: bind the Official Account to the Open Platform \
                       account of the Mini Program at open.weixin.qq.com, then sync again";

/// Row ids per query.
const CHUNK: u64 = 50_000;

/// The known followers that a crawl did not find.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Departures {
    /// Their row ids.
    pub(super) ids: RoaringTreemap,
    /// The number of followers that the crawl was expected to find.
    pub(super) expected: u64,
}

/// Compares the crawl with the followers stored before it.
pub(super) async fn find_departures(job: &Job, record: &Record) -> Result<Departures, Error> {
    let pages = runs::list_pages(job.store.reader(), record.run.id).await?;
    // The followers on a missing page would seem to have left.
    if (pages.len() as u64) < record.run.counts.pages {
        return Err(Error::Checkpoint(record.run.id));
    }
    let seen = pages.iter().fold(RoaringTreemap::new(), |seen, page| seen | &page.seen);
    find_unseen(job, record.run.started_at.timestamp_millis(), &seen).await
}

/// Finds the followers that a crawl should have seen but did not. `started_at` is the start of the
/// crawl in database time (ms since 1970).
pub(super) async fn find_unseen(
    job: &Job,
    started_at: i64,
    seen: &RoaringTreemap,
) -> Result<Departures, Error> {
    // This query may scan the rows of other accounts.
    let store = job.store.for_all_rows();
    let mut departures = Departures::default();
    let mut after = 0;
    loop {
        let ids =
            followers::list_expected_ids(store.reader(), job.account, started_at, after, CHUNK)
                .await?;
        let Some(last) = ids.last().copied() else { return Ok(departures) };
        departures.expected += ids.len() as u64;
        departures.ids.extend(ids.iter().filter(|id| !seen.contains(**id)));
        after = last;
    }
}

/// Returns why the sweep must wait for an operator, if it must. `stored` is the number of the account's
/// followers before the sweep, plus its erased users.
///
/// # Errors
/// [`Error::EndedEarly`] if the list ended long before the total that WeChat reports.
pub(super) fn reason_to_hold(
    record: &Record,
    departures: &Departures,
    stored: u64,
    max_ratio: f64,
) -> Result<Option<String>, Error> {
    let (listed, total) = (count_distinct_listed(record, departures, stored), record.total_last);
    let drift = record.total_first.abs_diff(total);
    if listed < total / 2 {
        // With half of the list missing, unlisted followers may or may not have left.
        return Err(Error::EndedEarly { listed, total });
    }
    if listed < min_expected(total).saturating_sub(drift) {
        return Ok(Some(format!("WeChat listed {listed} followers but counts {total}")));
    }
    let left = departures.ids.len();
    let limit = MAX_UNCHECKED_DEPARTURES.max((departures.expected as f64 * max_ratio) as u64);
    Ok((left > limit).then(|| {
        let expected = departures.expected;
        format!("{left} of {expected} followers would be marked as having left, more than {limit}")
    }))
}

/// Counts the distinct followers that were listed. The run's own count includes duplicates, for example
/// from overlapping pages.
fn count_distinct_listed(record: &Record, departures: &Departures, stored: u64) -> u64 {
    let counts = &record.run.counts;
    let found = stored.saturating_sub(departures.ids.len());
    counts.listed.min(found + counts.quarantined + counts.vanished)
}

/// Marks the departed followers and ends the run, in one transaction, so that readers see all of it or
/// nothing. `record` contains the final state of the run.
pub(super) async fn sweep(
    job: &Job,
    record: &Record,
    departures: &Departures,
) -> Result<Record, Error> {
    // This count scans the whole account, so it runs before the account is locked: callbacks would
    // wait.
    let without_unionid = with_retry(job, || WithoutUnionid::count(job, record)).await?;
    failpoint!("sync.before_sweep");
    let write = || write(job, record, departures, without_unionid);
    let (transaction, swept) = with_retry(job, write).await?;
    failpoint!("sync.before_close");
    // No retry: if the commit's answer is lost, the commit may have succeeded.
    transaction.commit().await?;
    Ok(swept)
}

/// The account's followers without a known unionid.
#[derive(Debug, Clone, Copy)]
struct WithoutUnionid {
    count: u64,
    /// Whether no follower has a unionid.
    are_all: bool,
}

impl WithoutUnionid {
    async fn count(job: &Job, record: &Record) -> Result<Self, store::Error> {
        let (store, account) = (job.store.for_rows(record.total_last), job.account);
        let count = followers::count_without_unionid(store.reader(), account).await?;
        let slow_store = job.store.for_all_rows();
        let are_all = count > 0
            && followers::list_known_from(slow_store.reader(), account, 0, 1).await?.is_empty();
        Ok(Self { count, are_all })
    }
}

/// Writes the sweep. Returns the open transaction and the updated record.
async fn write(
    job: &Job,
    record: &Record,
    departures: &Departures,
    without_unionid: WithoutUnionid,
) -> Result<(Transaction, Record), Error> {
    let mut record = record.clone();
    let run = &mut record.run;
    let (run_id, started_at) = (run.id, run.started_at.timestamp_millis());
    let ids: Vec<_> = departures.ids.iter().collect();
    let transaction = job.store.for_rows(record.total_last).begin().await?;
    // This comes first because it locks the account. An erasure also locks the account before it
    // touches rows of users.
    accounts::record_crawl(&transaction, job.account, started_at).await?;
    let now = store::now(&transaction).await?;
    let marked =
        followers::mark_unfollowed(&transaction, job.account, &ids, started_at, now).await?;
    failpoint!("sync.half_swept");
    run.counts.unfollowed = marked.all;
    run.counts.missing_unionid = without_unionid.count.saturating_sub(marked.without_unionid);
    run.finished_at = DateTime::from_timestamp_millis(now);
    if without_unionid.are_all && run.counts.missing_unionid > 0 {
        tracing::warn!(app.id = %run.appid, sync.run = run_id, "{UNBOUND}");
        run.warning = Some(UNBOUND.to_owned());
    }
    runs::delete_pages(&transaction, run_id).await?;
    if !runs::save(&transaction, &record).await? {
        return Err(Error::LeaseLost(record.run.appid));
    }
    Ok((transaction, record))
}
