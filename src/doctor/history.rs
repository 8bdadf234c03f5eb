//! An account's syncs: how long ago the latest good one is, and which waits for a person.

use chrono::{DateTime, Utc};

use super::check::within;
use super::database::failed;
use super::{Check, Context, DATABASE_LIMIT, Name};
use crate::config::{OfficialAccount, Sync};
use crate::model::{Run, RunState};
use crate::store::{self, AccountId, Store, accounts, runs};

const NAMES: [Name; 2] = [Name::LastRun, Name::HeldRun];

const EVERY_STATE: [RunState; 6] = [
    RunState::Running,
    RunState::Paused,
    RunState::Held,
    RunState::Succeeded,
    RunState::Failed,
    RunState::Cancelled,
];

/// What the database says of an account's syncs.
#[derive(Default)]
struct History {
    now: DateTime<Utc>,
    latest: Option<Run>,
    good: Option<Run>,
    held: Option<Run>,
}

pub(super) async fn examine(context: &Context<'_>, account: &OfficialAccount) -> Vec<Check> {
    let checks: Vec<_> = match context.base.ready() {
        Ok(store) => match within(DATABASE_LIMIT, Name::LastRun, read(store, account)).await {
            Ok(history) => judge(&context.config.sync, &history).into(),
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
        latest: newest(&EVERY_STATE).await?,
        good: newest(&[RunState::Succeeded, RunState::Held]).await?,
        held: newest(&[RunState::Held]).await?,
    })
}

fn judge(schedule: &Sync, history: &History) -> [Check; 2] {
    [last_run(schedule, history), held_run(history)]
}

fn last_run(schedule: &Sync, history: &History) -> Check {
    let name = Name::LastRun;
    let Some(good) = &history.good else {
        return match &history.latest {
            Some(latest) => {
                Check::warn(name, format!("none ended well yet; {}", shown(latest)), see(latest))
            }
            None => Check::warn(name, "there was none yet", "run `unionid-bridge sync`"),
        };
    };
    let detail = shown(good);
    let since = history.latest.as_ref().filter(|latest| latest.id > good.id);
    if let Some(latest) = since.filter(|latest| latest.state == RunState::Failed) {
        return Check::warn(
            name,
            format!("{}; the latest good one: {detail}", shown(latest)),
            see(latest),
        );
    }
    if is_overdue(schedule, good.started_at, history.now) {
        let hint = match since {
            Some(latest) => see(latest),
            None => "does `unionid-bridge serve` run, with sync.enabled = true?".to_owned(),
        };
        return Check::warn(
            name,
            format!("{detail}, more than two ticks of the schedule ago"),
            hint,
        );
    }
    Check::ok(name, detail)
}

/// Whether two ticks of the schedule have passed since then. Where `serve` keeps no schedule, nobody
/// knows when the next run is due.
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
    let Some(held) = &history.held else { return Check::ok(name, "none waits for a person") };
    let hint = format!(
        "look at WeChat's console: if so many did leave, `unionid-bridge runs confirm {}`, otherwise \
         sync again",
        held.id
    );
    Check::warn(name, shown(held), hint)
}

fn shown(run: &Run) -> String {
    let started = run.started_at.format("%Y-%m-%d %H:%M UTC");
    let told = format!("run {} of {started} {}", run.id, run.state);
    match &run.error {
        Some(error) => format!("{told}: {error}"),
        None => told,
    }
}

fn see(run: &Run) -> String {
    format!("`unionid-bridge runs show {}` says more", run.id)
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
    fn a_run_is_overdue_after_two_ticks_and_not_after_one() {
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
    fn without_a_schedule_nothing_is_overdue() {
        let sync = Sync { enabled: false, ..nightly() };
        assert!(!is_overdue(&sync, at("2020-01-01T00:00:00Z"), at("2026-03-05T08:00:00Z")));
    }
}
