//! Two nights: the first mirrors everybody, the second costs what changed.

use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::cli::progress::Progress;
use crate::cli::sync::{exit_of, summary};
use crate::cli::{Exit, Failure, output};
use crate::config::OfficialAccount;
use crate::model::Trigger;
use crate::sandbox::Sandbox;
use crate::store::{self, followers};
use crate::sync::{self, Outcome, Request};

/// How many people the demo shows.
const SHOWN: u64 = 3;

/// Mirrors everybody, lets people come and go, and mirrors what changed.
pub(super) async fn show(
    app: &App,
    account: &OfficialAccount,
    sandbox: &Sandbox,
    stop: &CancellationToken,
) -> Result<Exit, Failure> {
    let people = sandbox.main().follower_count();
    output::talk(format_args!(
        "a sandbox WeChat with {people} followers answers at {}\n\nfirst night: mirroring all",
        sandbox.base_url()
    ));
    let first = night(app, account, stop).await?;
    if exit_of(&first) != Exit::Done {
        return Ok(exit_of(&first));
    }
    people_shown(app, account).await?;
    let (left, joined) = (people / 1_000, people / 500);
    let world = sandbox.main();
    world.leave(0..left);
    world.join(joined);
    output::talk(format_args!("\nnext night: {joined} people have joined, {left} have left"));
    let second = night(app, account, stop).await?;
    Ok(exit_of(&second))
}

async fn night(
    app: &App,
    account: &OfficialAccount,
    stop: &CancellationToken,
) -> Result<Outcome, Failure> {
    let progress = Progress::new(&account.name);
    let job = app.sync_job(account, stop.clone(), progress.observer()).await?;
    let request =
        Request { trigger: Trigger::Manual, scheduled_at: None, full: false, restart: false };
    let ended = sync::run(&job, request).await;
    progress.finish();
    let outcome = ended?;
    output::data(summary(&account.name, &outcome.run));
    for (call, count) in &outcome.run.calls {
        output::data(format_args!("  {count:>6} calls of {call}"));
    }
    Ok(outcome)
}

async fn people_shown(app: &App, account: &OfficialAccount) -> Result<(), Failure> {
    let (store, appid) = (&app.store, &account.appid);
    let number = store::accounts::find_or_insert(store, appid).await?;
    let known = followers::list_known_from(store.reader(), number, 0, SHOWN).await?;
    let rows: Vec<_> = known
        .into_iter()
        .map(|follower| {
            let unionid = follower.unionid.map(|unionid| unionid.to_string());
            [follower.openid.to_string(), unionid.unwrap_or_default()]
        })
        .collect();
    output::data("");
    output::table(["OPENID IN THE OFFICIAL ACCOUNT", "UNIONID"], &rows);
    Ok(())
}
