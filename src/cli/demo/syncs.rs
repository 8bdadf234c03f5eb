//! The demo's sync part: a first run that mirrors everybody, and a second that fetches only changes.

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

/// How many followers the demo prints.
const SHOWN_FOLLOWERS: u64 = 3;

/// Mirrors all followers, lets some join and leave, and syncs again.
pub(super) async fn show(
    app: &App,
    account: &OfficialAccount,
    sandbox: &Sandbox,
    stop: &CancellationToken,
) -> Result<Exit, Failure> {
    let people = sandbox.main().follower_count();
    output::message(format_args!(
        "sandbox WeChat with {people} followers listening on {}\n\nfirst night: mirroring everybody",
        sandbox.base_url()
    ));
    let first = night(app, account, stop).await?;
    if exit_of(&first) != Exit::Done {
        return Ok(exit_of(&first));
    }
    print_followers(app, account).await?;
    let (left, joined) = (people / 1_000, people / 500);
    let world = sandbox.main();
    world.leave(0..left);
    world.join(joined);
    output::message(format_args!("\nnext night: {joined} people have joined, {left} have left"));
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
    let result = sync::run(&job, request).await;
    progress.finish();
    let outcome = result?;
    output::data(summary(&account.name, &outcome.run));
    for (call, count) in &outcome.run.calls {
        output::data(format_args!("  {count:>6} calls of {call}"));
    }
    Ok(outcome)
}

async fn print_followers(app: &App, account: &OfficialAccount) -> Result<(), Failure> {
    let (store, appid) = (&app.store, &account.appid);
    let number = store::accounts::find_or_insert(store, appid).await?;
    let known = followers::list_known_from(store.reader(), number, 0, SHOWN_FOLLOWERS).await?;
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
