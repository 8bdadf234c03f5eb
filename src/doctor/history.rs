//! Checks an account's syncs: when the latest one succeeded, and whether one is held.

use chrono::{DateTime, Utc};

use super::check::within;
use super::database::failed;
use super::{Check, Context, DATABASE_TIMEOUT, Name};
use crate::config::{OfficialAccount, Sync};
use crate::model::{Run, RunState};
use crate::store::{self, AccountId, Store, accounts, runs};

const NAMES: [Name; 2] = [Name::LastRun, Name::HeldRun];

const ALL_STATES: [RunState; 6] = [
    RunState::Running,
    RunState::Paused,
    RunState::Held,
    RunState::Succeeded,
    RunState::Failed,
    RunState::Cancelled,
];

/// An account's syncs, from the database.
#[derive(Default)]
struct History {
    now: DateTime<Utc>,
    latest: Option<Run>,
    /// The latest complete run: succeeded, or held.
    complete: Option<Run>,
    held: Option<Run>,
}

pub(super) async fn examine(context: &Context<'_>, account: &OfficialAccount) -> Vec<Check> {
    let checks: Vec<_> = match context.database.ready() {
        Ok(store) => match within(DATABASE_TIMEOUT, Name::LastRun, read(store, account)).await {
            Ok(history) => evaluate(&context.config.sync, &history).into(),
            Err(check) => skip_rest(check),
        },
        Err(why) => NAMES.map(|name| Check::skipped(name, why)).into(),
    };
    checks.into_iter().map(|check| check.about(&account.appid)).collect()
}

fn skip_rest(failed: Check) -> Vec<Check> {
    let rest = NAMES[1..].iter().map(|name| Check::skipped(*name, "the runs could not be read"));
    std::iter::once(failed).chain(rest).collect()
}

async fn read(store: &Store, account: &OfficialAccount) -> Result<History, Check> {
    let read = async {
        match accounts::find(store.reader(), &account.appid).await? {
            Some(number) => read_runs(store, number).await,
            None => Ok(History::default()),
        }
    };
    read.await.map_err(|error: store::Error| failed(Name::LastRun, &error))
}

async fn read_runs(store: &Store, account: AccountId) -> Result<History, store::Error> {
    let reader = store.reader();
    let newest = async |states: &[RunState]| {
        let record = runs::find_latest(reader, account, states).await?;
        Ok::<_, store::Error>(record.map(|record| record.run))
    };
    let now = store.now().await?;
    Ok(History {
        now: DateTime::from_timestamp_millis(now).unwrap_or_default(),
        latest: newest(&ALL_STATES).await?,
        complete: newest(&[RunState::Succeeded, RunState::Held]).await?,
        held: newest(&[RunState::Held]).await?,
    })
}

fn evaluate(schedule: &Sync, history: &History) -> [Check; 2] {
    [last_run(schedule, history), held_run(history)]
}

fn last_run(schedule: &Sync, history: &History) -> Check {
    let name = Name::LastRun;
    let Some(complete) = &history.complete else {
        return match &history.latest {
            Some(latest) => Check::warn(
                name,
                format!("no sync has succeeded yet; {}", format_run(latest)),
                details_hint(latest),
            ),
            None => Check::warn(name, "no sync has run yet", "run `unionid-bridge sync`"),
        };
    };
    let detail = format_run(complete);
    let newer = history.latest.as_ref().filter(|latest| latest.id > complete.id);
    if let Some(latest) = newer.filter(|latest| latest.state == RunState::Failed) {
        return Check::warn(
            name,
            format!("{}; the latest successful one: {detail}", format_run(latest)),
            details_hint(latest),
        );
    }
    if is_overdue(schedule, complete.started_at, history.now) {
        let hint = match newer {
            Some(latest) => details_hint(latest),
            None => {
                "check that `unionid-bridge serve` is running with sync.enabled = true".to_owned()
            }
        };
        return Check::warn(name, format!("{detail}, more than two scheduled times ago"), hint);
    }
    Check::ok(name, detail)
}

/// Whether the schedule has come due twice since `since`. Without a schedule, no run is overdue.
fn is_overdue(sync: &Sync, since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    if !sync.enabled {
        return false;
    }
    let now = now.with_timezone(&sync.timezone);
    let last = sync.schedule.find_previous_occurrence(&now, true);
    let before = last.and_then(|last| sync.schedule.find_previous_occurrence(&last, false));
    before.is_ok_and(|before| since < before)
}

fn held_run(history: &History) -> Check {
    let name = Name::HeldRun;
    let Some(held) = &history.held else { return Check::ok(name, "no run is held") };
    let hint = format!(
        "compare with WeChat's console: if that many followers left, run `unionid-bridge runs confirm \
         {}`, otherwise sync again",
        held.id
    );
    Check::warn(name, format_run(held), hint)
}

fn format_run(run: &Run) -> String {
    let started = run.started_at.format("%Y-%m-%d %H:%M UTC");
    let line = format!("run {} of {started} {}", run.id, run.state);
    match &run.error {
        Some(error) => format!("{line}: {error}"),
        None => line,
    }
}

fn details_hint(run: &Run) -> String {
    format!("see `unionid-bridge runs show {}`", run.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Sources};

    fn nightly() -> Sync {
        config::load(&Sources::defaults()).unwrap().config.sync
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_run_is_overdue_only_after_two_missed_scheduled_times() {
        // 03:00 in Shanghai is 19:00 UTC the day before.
        let (sync, now) = (nightly(), at("2026-03-05T08:00:00Z"));
        for (since, overdue) in [
            ("2026-03-04T19:00:01Z", false),
            ("2026-03-03T19:00:00Z", false),
            ("2026-03-03T18:59:59Z", true),
        ] {
            assert_eq!(is_overdue(&sync, at(since), now), overdue, "{since}");
        }
    }

    #[test]
    fn no_run_is_overdue_when_sync_is_disabled() {
        let sync = Sync { enabled: false, ..nightly() };
        assert!(!is_overdue(&sync, at("2020-01-01T00:00:00Z"), at("2026-03-05T08:00:00Z")));
    }
}
