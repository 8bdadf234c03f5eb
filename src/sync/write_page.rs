//! The last stage of the pipeline: writes a page's rows and the checkpoint in one transaction.

use super::Error;
use super::crawl::Crawl;
use super::erased::Allowed;
use super::profiles::AnsweredPage;
use super::reconcile::{ReconciledPage, reconcile};
use super::retry::with_retry;
use super::run::unless_stopped;
use crate::failpoint::failpoint;
use crate::lease::Lease;
use crate::store::runs::{Page, Record};
use crate::store::{self, accounts, followers, quarantine, runs};

/// Writes a page. Updates `record` only after the commit.
pub(super) async fn commit(
    crawl: &Crawl,
    record: &mut Record,
    lease: &Lease,
    page: AnsweredPage,
) -> Result<(), Error> {
    let page = unless_stopped(&crawl.job, lease, reconcile(crawl, page)).await?;
    let written = with_retry(&crawl.job, || write(crawl, record, &page)).await?;
    match written {
        Some(next) => *record = next,
        None => return Err(Error::LeaseLost(record.run.appid.clone())),
    }
    Ok(())
}

/// Returns the record as of after the page.
fn advanced(crawl: &Crawl, record: &Record, page: &ReconciledPage, written: u64) -> Record {
    let listed = &page.planned.listed;
    let mut next = record.clone();
    let counts = &mut next.run.counts;
    // The empty answer that ends a list does not count as a page.
    counts.pages += u64::from(page.planned.openids > 0);
    counts.listed += page.planned.openids;
    counts.known += page.planned.known.len() + page.planned.repeated + page.planned.erased;
    counts.fetched += page.fetched;
    counts.vanished += page.vanished;
    counts.quarantined += page.quarantined.len() as u64;
    counts.upserted += written;
    counts.conflicts += page.conflicts.len() as u64;
    if listed.number == 1 {
        next.total_first = listed.total;
    }
    next.total_last = listed.total;
    next.next_openid.clone_from(&listed.next_openid);
    next.listed_all = listed.last;
    crawl.usage.update(&crawl.job, &mut next);
    next
}

/// Writes the page and returns the updated record. Returns `None` and writes nothing if another process
/// has taken over the run.
async fn write(
    crawl: &Crawl,
    record: &Record,
    page: &ReconciledPage,
) -> Result<Option<Record>, store::Error> {
    let (account, run) = (crawl.job.account, record.run.id);
    let listed = &page.planned.listed;
    let at = listed.listed_at;
    let transaction = crawl.job.store.begin().await?;
    accounts::share(&transaction, account).await?;
    let allowed = Allowed::of(&transaction, account, page).await?;
    let written = (allowed.rows.len() + page.cleared.len()) as u64;
    let next = advanced(crawl, record, page, written);
    if !runs::save(&transaction, &next).await? {
        return Ok(None);
    }
    followers::upsert(&transaction, account, &allowed.rows, at).await?;
    followers::clear_unionids(&transaction, account, &page.cleared).await?;
    failpoint!("sync.page_half_written");
    quarantine::release(&transaction, account, &page.released).await?;
    quarantine::record(&transaction, account, run, &allowed.quarantined, at).await?;
    if !crawl.rebound {
        quarantine::record_conflicts(&transaction, account, run, &allowed.conflicts, at).await?;
    }
    let checkpoint = Page {
        next_openid: listed.next_openid.clone(),
        seen: page.seen.clone(),
        deferred: page.planned.deferred.clone(),
    };
    runs::insert_page(&transaction, run, listed.number, &checkpoint).await?;
    failpoint!("sync.page_written");
    transaction.commit().await?;
    Ok(Some(next))
}
