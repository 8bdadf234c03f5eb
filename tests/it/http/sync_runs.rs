//! Runs over HTTP: asked for, looked at, let sweep, ended, and put down when the process ends.

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};
use unionid_bridge::keys::NewKey;
use unionid_bridge::model::Scope;
use unionid_bridge::sandbox::{Call, MINI_PROGRAM, OfficialAccount, Options, Sandbox};
use unionid_bridge::store::leases;
use unionid_bridge::sync;

use crate::harness::{Answer, Backend, Service, TestApp, pages_of, until};

/// The API with a key that may sync, and the application behind it.
struct Desk {
    app: TestApp,
    service: Service,
    key: String,
}

impl Desk {
    async fn of(app: TestApp) -> Self {
        let service = Service::start(&app).await;
        let key = service.key(&[Scope::Sync]).await;
        Self { app, service, key }
    }

    async fn get(&self, path: &str) -> Answer {
        self.service.get(&format!("/v1/sync-runs{path}")).key(&self.key).send().await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.service.post(&format!("/v1/sync-runs{path}"), body).key(&self.key).send().await
    }

    /// Waits until the run stands so, and gives it.
    async fn becomes(&self, id: &Value, state: &str) -> Value {
        let began = Instant::now();
        loop {
            let run = self.get(&format!("/{id}")).await.json();
            if run["state"] == state {
                return run;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "not {state}: {run}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn assert_idle(&self) {
        let name = sync::lease_name(&self.app.account.appid);
        assert!(!leases::is_held(self.app.app.store.reader(), &name).await.unwrap());
    }
}

fn refused(answer: &Answer) -> (u16, String) {
    (answer.status, answer.code())
}

/// A world whose pages take a while.
async fn slow_world(page: Duration) -> Sandbox {
    let options = Options { page_size: 100, ..Options::with_followers(1_000) };
    Sandbox::start(options.latency(Call::UserGet, page)).await.unwrap()
}

#[rstest]
#[tokio::test]
async fn a_run_asked_for_is_known_at_once_and_done_in_the_background(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = slow_world(Duration::from_millis(50)).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let desk = Desk::of(app).await;
    let asked = Instant::now();
    let answer = desk.service.call("POST", "/v1/sync-runs").key(&desk.key).send().await;
    assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
    let run = answer.json();
    assert_eq!((answer.status, &run["state"]), (202, &"running".into()), "{answer:?}");
    assert_eq!(answer.header("location"), format!("/v1/sync-runs/{}", run["id"]));
    let done = desk.becomes(&run["id"], "succeeded").await;
    assert_eq!((&done["trigger"], &done["listed"]), (&"manual".into(), &1_000.into()));
    desk.app.assert_mirrors(&world).await;
    desk.assert_idle().await;
    let next = desk.post("", json!({ "appid": world.main().appid(), "full": true })).await.json();
    assert_eq!(desk.becomes(&next["id"], "succeeded").await["mode"], "full");
}

#[rstest]
#[tokio::test]
async fn while_a_run_is_worked_no_other_begins_and_it_is_named(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = slow_world(Duration::from_millis(150)).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let other = Desk::of(app.replica(&world).await).await;
    let desk = Desk::of(app).await;
    let id = desk.post("", json!({})).await.json()["id"].clone();
    until("the first page", || world.requests(Call::UserGet) >= 1).await;
    let asked = Instant::now();
    for answer in [
        desk.post("", json!({})).await,
        other.post("", json!({})).await,
        other.post("", json!({ "restart": true })).await,
        other.post(&format!("/{id}/cancel"), json!({})).await,
        desk.post(&format!("/{id}/confirm"), json!({})).await,
    ] {
        assert_eq!(refused(&answer), (409, "sync_running".into()));
        assert_eq!(answer.json()["sync_run"], id);
    }
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    desk.becomes(&id, "succeeded").await;
    assert_eq!(desk.get("").await.json()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn of_many_who_ask_at_once_one_starts_the_run() {
    let world = slow_world(Duration::from_millis(100)).await;
    let desk = Desk::of(TestApp::against(&world).await).await;
    let asked = (0..20).map(|_| desk.post("", json!({})));
    let answers = futures::future::join_all(asked).await;
    let started = answers.iter().filter(|answer| answer.status == 202).count();
    assert_eq!(started, 1, "{answers:?}");
    let refused = answers.iter().filter(|answer| answer.status != 202);
    assert!(refused.map(Answer::code).all(|code| code == "sync_running"));
}

#[tokio::test]
async fn an_interrupted_run_goes_on_unless_it_is_given_up() {
    let world = pages_of(100, 600).await;
    let desk = Desk::of(TestApp::against(&world).await).await;
    let stopped = desk.app.sync_stopped_after(2).await.run;
    let run = desk.post("", json!({})).await.json();
    assert_eq!((&run["id"], &run["resumed_at_page"]), (&stopped.id.into(), &3.into()));
    desk.becomes(&run["id"], "succeeded").await;

    let stopped = desk.app.sync_stopped_after(2).await.run;
    let run = desk.post("", json!({ "restart": true })).await.json();
    assert_ne!(run["id"], stopped.id);
    desk.becomes(&run["id"], "succeeded").await;
    assert_eq!(desk.get(&format!("/{}", stopped.id)).await.json()["state"], "cancelled");
}

#[rstest]
#[tokio::test]
async fn a_held_run_is_confirmed_or_cancelled_and_others_are_refused(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = pages_of(100, 600).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let desk = Desk::of(app).await;
    let done = desk.app.sync_true(&world).await.id;
    world.main().leave(0..100);
    let held = desk.app.sync().await.run.id;
    let answer = desk.post(&format!("/{held}/cancel"), json!({})).await;
    assert_eq!((answer.status, &answer.json()["state"]), (200, &"cancelled".into()));
    let held = desk.app.sync().await.run.id;
    let answer = desk.post(&format!("/{held}/confirm"), json!({})).await;
    let run = answer.json();
    assert_eq!((answer.status, &run["state"]), (200, &"succeeded".into()), "{answer:?}");
    assert_eq!((&run["id"], &run["unfollowed"]), (&held.into(), &100.into()));
    desk.app.assert_mirrors(&world).await;
    for id in [done, held] {
        for what in ["confirm", "cancel"] {
            let answer = desk.post(&format!("/{id}/{what}"), json!({})).await;
            assert_eq!(refused(&answer), (409, "sync_run_state".into()));
        }
    }
    desk.assert_idle().await;
}

#[rstest]
#[tokio::test]
async fn the_history_comes_by_pages_each_run_as_the_command_line_gives_it(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(100).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let desk = Desk::of(app).await;
    for _ in 0..5 {
        desk.app.sync_true(&world).await;
    }
    let expected = serde_json::to_value(desk.app.runs().await).unwrap();
    assert_eq!(desk.get("").await.json(), json!({ "data": expected, "next_cursor": null }));
    assert_eq!(desk.get("/1").await.json(), expected[4]);
    let (mut path, mut seen) = ("?limit=2".to_owned(), Vec::new());
    for size in [2, 2, 1] {
        let page = desk.get(&path).await.json();
        let data = page["data"].as_array().unwrap();
        assert_eq!(data.len(), size);
        seen.extend(data.clone());
        let next = &page["next_cursor"];
        assert_eq!(next.is_null(), size == 1);
        path = format!("?limit=2&cursor={}", next.as_str().unwrap_or_default());
    }
    assert_eq!(Value::Array(seen), expected);
}

#[tokio::test]
async fn a_key_for_one_account_sees_and_starts_the_runs_of_that_account_only() {
    let mut options = Options::with_followers(100);
    let other = "wx0a00000000000002";
    let secret = "5a5d0b0c0a11ce0000000000000000a2";
    options.official_accounts.push(OfficialAccount::new("other", other, secret, 50));
    let world = Sandbox::start(options).await.unwrap();
    let mut desk = Desk::of(TestApp::against(&world).await).await;
    desk.app.sync_true(&world).await;
    let theirs = desk.app.of(1).sync().await.run.id;
    let mine = desk.get(&format!("?appid={other}")).await.json();
    assert_eq!(
        (mine["data"].as_array().unwrap().len(), &mine["data"][0]["id"]),
        (1, &theirs.into())
    );

    let appids = vec![world.main().appid().parse().unwrap()];
    let key = NewKey { scopes: vec![Scope::Sync], appids, ..NewKey::default() };
    desk.key = desk.service.key_of(key).await;
    let listed = desk.get("").await.json();
    let appids: Vec<_> =
        listed["data"].as_array().unwrap().iter().map(|run| &run["appid"]).collect();
    assert_eq!(appids, [world.main().appid()]);
    let not_allowed = (403, "app_not_allowed".to_owned());
    assert_eq!(refused(&desk.get(&format!("?appid={other}")).await), not_allowed);
    assert_eq!(refused(&desk.get(&format!("/{theirs}")).await), not_allowed);
    assert_eq!(refused(&desk.post("", json!({ "appid": other })).await), not_allowed);
    for what in ["confirm", "cancel"] {
        let answer = desk.post(&format!("/{theirs}/{what}"), json!({})).await;
        assert_eq!(refused(&answer), not_allowed);
    }
    // All that the key is for is one account: nobody syncs the other.
    let run = desk.post("", json!({})).await.json();
    assert_eq!(run["appid"], world.main().appid(), "{run}");
    desk.becomes(&run["id"], "succeeded").await;
    assert_eq!(desk.app.runs().await.iter().filter(|run| run.appid.as_str() == other).count(), 1);
    let unknown = desk.get("?appid=wx0000000000000000").await;
    assert_eq!(refused(&unknown), not_allowed);
    let appids = vec!["wx0000000000000000".parse().unwrap()];
    let key = NewKey { scopes: vec![Scope::Sync], appids, ..NewKey::default() };
    desk.key = desk.service.key_of(key).await;
    assert_eq!(refused(&desk.post("", json!({})).await), not_allowed);
}

#[rstest]
#[tokio::test]
async fn without_a_body_a_run_of_every_account_begins_and_those_at_work_are_let_be(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let mut options = Options { page_size: 10, ..Options::with_followers(100) };
    let others = ["wx0a00000000000002", "wx0a00000000000003"];
    for other in others {
        let secret = "5a5d0b0c0a11ce0000000000000000a2";
        options.official_accounts.push(OfficialAccount::new(other, other, secret, 50));
    }
    let options = options.latency(Call::UserGet, Duration::from_millis(100));
    let world = Sandbox::start(options).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let desk = Desk::of(app).await;
    let first = desk.post("", json!({ "appid": others[0] })).await;
    assert_eq!((first.status, &first.json()["appid"]), (202, &others[0].into()), "{first:?}");

    let all = desk.service.call("POST", "/v1/sync-runs").key(&desk.key).send().await;
    assert_eq!((all.status, all.header("location")), (202, "/v1/sync-runs"), "{all:?}");
    let all = all.json();
    let appids: Vec<_> = all["data"].as_array().unwrap().iter().map(|run| &run["appid"]).collect();
    assert_eq!(appids, [world.main().appid(), others[1]]);
    assert_eq!(all["next_cursor"], Value::Null);
    let none = desk.post("", json!({})).await;
    assert_eq!(refused(&none), (409, "sync_running".into()));
    for run in all["data"].as_array().unwrap().iter().chain([&first.json()]) {
        desk.becomes(&run["id"], "succeeded").await;
    }
    desk.app.assert_mirrors(&world).await;
    let done = desk.get("?state=succeeded").await.json();
    assert_eq!(done["data"].as_array().unwrap().len(), 3);
    assert_eq!(desk.get("?state=held").await.json()["data"], json!([]));
    let one = desk.get(&format!("?state=succeeded&appid={}", others[1])).await.json();
    assert_eq!(
        (one["data"].as_array().unwrap().len(), &one["data"][0]["appid"]),
        (1, &others[1].into())
    );
}

#[tokio::test]
async fn what_is_no_run_account_or_cursor_is_refused_as_what_it_is() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let desk = Desk::of(TestApp::against(&world).await).await;
    for id in ["1", "0", "-1", "9223372036854775807"] {
        assert_eq!(refused(&desk.get(&format!("/{id}")).await), (404, "sync_run_unknown".into()));
        let answer = desk.post(&format!("/{id}/cancel"), json!({})).await;
        assert_eq!(refused(&answer), (404, "sync_run_unknown".into()));
    }
    for id in ["x", "1.5", "9223372036854775808", "%00", "1%25", "1;drop"] {
        assert_eq!(
            refused(&desk.get(&format!("/{id}")).await),
            (400, "invalid_path".into()),
            "{id}"
        );
    }
    let long = "r".repeat(10_000);
    for query in [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=1e3",
        "cursor=",
        "cursor=1",
        "cursor=%00",
        "cursor=r00000000000f424%25",
        "cursor=f0000000000000001",
        "appid=%E2%80%AE",
        "appid=a'--",
        "account=wx1",
        "state=done",
        "state=",
        &format!("cursor={long}"),
        "acount=wx1",
    ] {
        let answer = desk.get(&format!("?{query}")).await;
        assert_eq!(refused(&answer), (400, "invalid_query".into()), "{query:.60}");
    }
    let unknown = (404, "official_account_unknown".to_owned());
    assert_eq!(refused(&desk.get("?appid=wx0000000000000000").await), unknown);
    assert_eq!(refused(&desk.post("", json!({ "appid": MINI_PROGRAM })).await), unknown);
    for body in
        [json!({ "appid": "" }), json!({ "full": "yes" }), json!({ "ful": true }), json!([])]
    {
        assert_eq!(refused(&desk.post("", body).await), (400, "invalid_body".into()));
    }
    assert_eq!(desk.get("").await.json(), json!({ "data": [], "next_cursor": null }));
}

#[tokio::test]
async fn a_run_in_the_background_is_put_down_when_the_process_ends() {
    let world = slow_world(Duration::from_millis(200)).await;
    let app = TestApp::against(&world).await;
    let peer = app.replica(&world).await;
    let desk = Desk::of(app).await;
    let id = desk.post("", json!({})).await.json()["id"].clone();
    until("some pages", || world.requests(Call::UserGet) >= 4).await;
    let Desk { service, app, .. } = desk;
    let asked = Instant::now();
    service.stop().await;
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    let run = app.runs().await.remove(0);
    assert_eq!((run.id, run.state.as_str()), (id.as_i64().unwrap(), "paused"));
    assert!(run.counts.pages >= 1);
    // Its lease is free: a peer goes on at once.
    let next = peer.sync().await.run;
    assert_eq!((next.id, next.resumed_at_page), (run.id, Some(run.counts.pages + 1)));
    peer.assert_mirrors(&world).await;
}

#[tokio::test]
async fn a_process_that_is_about_to_end_begins_no_run() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let app = TestApp::against(&world).await;
    let service = Service::of(app.app.clone(), Duration::from_millis(500)).await;
    let key = service.key(&[Scope::Sync]).await;
    service.ask_to_stop();
    let answer = service.post("/v1/sync-runs", json!({})).key(&key).send().await;
    assert_eq!(refused(&answer), (503, "ending".into()));
    assert!(app.runs().await.is_empty());
}
