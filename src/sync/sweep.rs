//! The end of a crawl: who was known and not listed has left, unless that looks wrong.

use chrono::DateTime;
use roaring::RoaringTreemap;

use super::list::least_expected;
use super::retry::with_retry;
use super::{Error, Job};
use crate::failpoint::failpoint;
use crate::store::runs::Record;
use crate::store::{self, Transaction, accounts, followers, runs};

/// This many departures are never held.
const FEW_DEPARTURES: u64 = 50;

const UNBOUND: &str = "no follower has a unionid: bind the Official Account to the Open Platform \
                       account of the Mini Program at open.weixin.qq.com, then sync again";

/// Row ids read at a time.
const CHUNK: u64 = 50_000;

/// Whom a crawl did not find.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Departures {
    /// Their row ids.
    pub(super) ids: RoaringTreemap,
    /// How many a crawl should have found.
    pub(super) expected: u64,
}

/// Compares the crawl with what was known before it.
pub(super) async fn find_departures(job: &Job, record: &Record) -> Result<Departures, Error> {
    let pages = runs::list_pages(job.store.reader(), record.run.id).await?;
    // Whoever was on a page that is gone would seem to have left.
    if (pages.len() as u64) < record.run.counts.pages {
        return Err(Error::Checkpoint(record.run.id));
    }
    let seen = pages.iter().fold(RoaringTreemap::new(), |seen, page| seen | &page.seen);
    find_unseen(job, record.run.started_at.timestamp_millis(), &seen).await
}

/// Whom a crawl begun at `started_at` should have seen and has not.
pub(super) async fn find_unseen(
    job: &Job,
    started_at: i64,
    seen: &RoaringTreemap,
) -> Result<Departures, Error> {
    // Past other accounts' rows.
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

/// Refuses a list that ended long before its own total; says why a sweep has to wait for an
/// operator, if it has to. `stored` are the account's followers before the sweep, and who was
/// erased.
pub(super) fn doubt(
    record: &Record,
    departures: &Departures,
    stored: u64,
    max_ratio: f64,
) -> Result<Option<String>, Error> {
    let (listed, total) = (listed_people(record, departures, stored), record.total_last);
    let drift = record.total_first.abs_diff(total);
    if listed < total / 2 {
        // Whoever is missing from half a list cannot be told from who has left.
        return Err(Error::EndedEarly { listed, total });
    }
    if listed < least_expected(total).saturating_sub(drift) {
        return Ok(Some(format!("{listed} followers were listed while WeChat counts {total}")));
    }
    let left = departures.ids.len();
    let most = FEW_DEPARTURES.max((departures.expected as f64 * max_ratio) as u64);
    Ok((left > most).then(|| {
        let expected = departures.expected;
        format!("{left} of {expected} followers would be marked as having left, more than {most}")
    }))
}

/// How many people were listed. The run's own count has those twice who were listed twice, as on
/// pages that lead back into themselves.
fn listed_people(record: &Record, departures: &Departures, stored: u64) -> u64 {
    let counts = &record.run.counts;
    let found = stored.saturating_sub(departures.ids.len());
    counts.listed.min(found + counts.quarantined + counts.vanished)
}

/// Marks who left and ends the run, in one transaction: readers see all of it or nothing.
/// `record` says how the run ends.
pub(super) async fn sweep(
    job: &Job,
    record: &Record,
    departures: &Departures,
) -> Result<Record, Error> {
    // Walks through the account, which is not locked yet: callbacks would wait.
    let without_unionid = with_retry(job, || WithoutUnionid::count(job, record)).await?;
    failpoint!("sync.before_sweep");
    let write = || write(job, record, departures, without_unionid);
    let (transaction, swept) = with_retry(job, write).await?;
    failpoint!("sync.before_close");
    // Once: where its answer is lost, it may be done.
    transaction.commit().await?;
    Ok(swept)
}

/// The account's followers of whom no unionid is known.
#[derive(Debug, Clone, Copy)]
struct WithoutUnionid {
    count: u64,
    /// Whether nobody has one.
    are_all: bool,
}

impl WithoutUnionid {
    async fn count(job: &Job, record: &Record) -> Result<Self, store::Error> {
        let (own, account) = (job.store.for_rows(record.total_last), job.account);
        let count = followers::count_without_unionid(own.reader(), account).await?;
        let whole = job.store.for_all_rows();
        let are_all = count > 0
            && followers::list_known_from(whole.reader(), account, 0, 1).await?.is_empty();
        Ok(Self { count, are_all })
    }
}

/// All that a sweep writes, not committed yet.
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
    // First, since it locks the account: an erasure does so before it touches people.
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
