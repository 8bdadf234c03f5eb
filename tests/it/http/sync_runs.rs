//! Sync runs over HTTP: start, list, confirm, cancel, and shutdown.

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};
use unionid_bridge::keys::NewKey;
use unionid_bridge::model::Scope;
use unionid_bridge::sandbox::{Call, MINI_PROGRAM, OfficialAccount, Options, Sandbox};
use unionid_bridge::store::leases;
use unionid_bridge::sync;

use crate::harness::{Answer, Backend, Service, TestApp, paged_world, status_and_code, until};

/// The application, its API, and a key with the `sync` scope.
struct Api {
    app: TestApp,
    service: Service,
    key: String,
}

impl Api {
    async fn new(app: TestApp) -> Self {
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

    /// Waits until the run is in this state, and returns it.
    async fn wait_for_state(&self, id: &Value, state: &str) -> Value {
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

/// A sandbox with a latency for pages.
async fn slow_world(page: Duration) -> Sandbox {
    let options = Options { page_size: 100, ..Options::with_followers(1_000) };
    Sandbox::start(options.latency(Call::UserGet, page)).await.unwrap()
}

#[rstest]
#[tokio::test]
async fn a_requested_run_is_returned_at_once_and_runs_in_the_background(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = slow_world(Duration::from_millis(50)).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let api = Api::new(app).await;
    let began = Instant::now();
    let answer = api.service.call("POST", "/v1/sync-runs").key(&api.key).send().await;
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    let run = answer.json();
    assert_eq!((answer.status, &run["state"]), (202, &"running".into()), "{answer:?}");
    assert_eq!(answer.header("location"), format!("/v1/sync-runs/{}", run["id"]));
    let done = api.wait_for_state(&run["id"], "succeeded").await;
    assert_eq!((&done["trigger"], &done["listed"]), (&"manual".into(), &1_000.into()));
    api.app.assert_mirrors(&world).await;
    api.assert_idle().await;
    let next = api.post("", json!({ "appid": world.main().appid(), "full": true })).await.json();
    assert_eq!(api.wait_for_state(&next["id"], "succeeded").await["mode"], "full");
}

#[rstest]
#[tokio::test]
async fn a_second_run_is_rejected_with_the_id_of_the_running_one(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = slow_world(Duration::from_millis(150)).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let other = Api::new(app.replica(&world).await).await;
    let api = Api::new(app).await;
    let id = api.post("", json!({})).await.json()["id"].clone();
    until("the first page", || world.requests(Call::UserGet) >= 1).await;
    let began = Instant::now();
    for answer in [
        api.post("", json!({})).await,
        other.post("", json!({})).await,
        other.post("", json!({ "restart": true })).await,
        other.post(&format!("/{id}/cancel"), json!({})).await,
        api.post(&format!("/{id}/confirm"), json!({})).await,
    ] {
        assert_eq!(status_and_code(&answer), (409, "sync_running".into()));
        assert_eq!(answer.json()["sync_run"], id);
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    api.wait_for_state(&id, "succeeded").await;
    assert_eq!(api.get("").await.json()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn one_of_many_concurrent_requests_starts_the_run() {
    let world = slow_world(Duration::from_millis(100)).await;
    let api = Api::new(TestApp::against(&world).await).await;
    let requests = (0..20).map(|_| api.post("", json!({})));
    let answers = futures::future::join_all(requests).await;
    let started = answers.iter().filter(|answer| answer.status == 202).count();
    assert_eq!(started, 1, "{answers:?}");
    let refused = answers.iter().filter(|answer| answer.status != 202);
    assert!(refused.map(Answer::code).all(|code| code == "sync_running"));
}

#[tokio::test]
async fn an_interrupted_run_resumes_unless_restart_is_requested() {
    let world = paged_world(100, 600).await;
    let api = Api::new(TestApp::against(&world).await).await;
    let stopped = api.app.sync_stopped_after(2).await.run;
    let run = api.post("", json!({})).await.json();
    assert_eq!((&run["id"], &run["resumed_at_page"]), (&stopped.id.into(), &3.into()));
    api.wait_for_state(&run["id"], "succeeded").await;

    let stopped = api.app.sync_stopped_after(2).await.run;
    let run = api.post("", json!({ "restart": true })).await.json();
    assert_ne!(run["id"], stopped.id);
    api.wait_for_state(&run["id"], "succeeded").await;
    assert_eq!(api.get(&format!("/{}", stopped.id)).await.json()["state"], "cancelled");
}

#[rstest]
#[tokio::test]
async fn a_held_run_can_be_confirmed_or_cancelled_but_a_finished_one_cannot(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 600).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let api = Api::new(app).await;
    let done = api.app.sync_true(&world).await.id;
    world.main().leave(0..100);
    let held = api.app.sync().await.run.id;
    let answer = api.post(&format!("/{held}/cancel"), json!({})).await;
    assert_eq!((answer.status, &answer.json()["state"]), (200, &"cancelled".into()));
    let held = api.app.sync().await.run.id;
    let answer = api.post(&format!("/{held}/confirm"), json!({})).await;
    let run = answer.json();
    assert_eq!((answer.status, &run["state"]), (200, &"succeeded".into()), "{answer:?}");
    assert_eq!((&run["id"], &run["unfollowed"]), (&held.into(), &100.into()));
    api.app.assert_mirrors(&world).await;
    for id in [done, held] {
        for what in ["confirm", "cancel"] {
            let answer = api.post(&format!("/{id}/{what}"), json!({})).await;
            assert_eq!(status_and_code(&answer), (409, "sync_run_state".into()));
        }
    }
    api.assert_idle().await;
}

#[rstest]
#[tokio::test]
async fn runs_are_listed_in_pages_as_the_command_line_shows_them(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(100).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let api = Api::new(app).await;
    for _ in 0..5 {
        api.app.sync_true(&world).await;
    }
    let expected = serde_json::to_value(api.app.runs().await).unwrap();
    assert_eq!(api.get("").await.json(), json!({ "data": expected, "next_cursor": null }));
    assert_eq!(api.get("/1").await.json(), expected[4]);
    let (mut path, mut seen) = ("?limit=2".to_owned(), Vec::new());
    for size in [2, 2, 1] {
        let page = api.get(&path).await.json();
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
async fn a_key_for_one_account_sees_and_starts_only_its_runs() {
    let mut options = Options::with_followers(100);
    let other = "wx0a00000000000002";
    let secret = "5a5d0b0c0a11ce0000000000000000a2";
    options.official_accounts.push(OfficialAccount::new("other", other, secret, 50));
    let world = Sandbox::start(options).await.unwrap();
    let mut api = Api::new(TestApp::against(&world).await).await;
    api.app.sync_true(&world).await;
    let theirs = api.app.for_account(1).sync().await.run.id;
    let mine = api.get(&format!("?appid={other}")).await.json();
    assert_eq!(
        (mine["data"].as_array().unwrap().len(), &mine["data"][0]["id"]),
        (1, &theirs.into())
    );

    let appids = vec![world.main().appid().parse().unwrap()];
    let key = NewKey { scopes: vec![Scope::Sync], appids, ..NewKey::default() };
    api.key = api.service.key_of(key).await;
    let listed = api.get("").await.json();
    let appids: Vec<_> =
        listed["data"].as_array().unwrap().iter().map(|run| &run["appid"]).collect();
    assert_eq!(appids, [world.main().appid()]);
    let not_allowed = (403, "app_not_allowed".to_owned());
    assert_eq!(status_and_code(&api.get(&format!("?appid={other}")).await), not_allowed);
    assert_eq!(status_and_code(&api.get(&format!("/{theirs}")).await), not_allowed);
    assert_eq!(status_and_code(&api.post("", json!({ "appid": other })).await), not_allowed);
    for what in ["confirm", "cancel"] {
        let answer = api.post(&format!("/{theirs}/{what}"), json!({})).await;
        assert_eq!(status_and_code(&answer), not_allowed);
    }
    // The key is limited to one account, so the other is not synced.
    let run = api.post("", json!({})).await.json();
    assert_eq!(run["appid"], world.main().appid(), "{run}");
    api.wait_for_state(&run["id"], "succeeded").await;
    assert_eq!(api.app.runs().await.iter().filter(|run| run.appid.as_str() == other).count(), 1);
    let unknown = api.get("?appid=wx0000000000000000").await;
    assert_eq!(status_and_code(&unknown), not_allowed);
    let appids = vec!["wx0000000000000000".parse().unwrap()];
    let key = NewKey { scopes: vec![Scope::Sync], appids, ..NewKey::default() };
    api.key = api.service.key_of(key).await;
    assert_eq!(status_and_code(&api.post("", json!({})).await), not_allowed);
}

#[rstest]
#[tokio::test]
async fn a_request_without_a_body_starts_a_run_of_every_idle_account(
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
    let api = Api::new(app).await;
    let first = api.post("", json!({ "appid": others[0] })).await;
    assert_eq!((first.status, &first.json()["appid"]), (202, &others[0].into()), "{first:?}");

    let all = api.service.call("POST", "/v1/sync-runs").key(&api.key).send().await;
    assert_eq!((all.status, all.header("location")), (202, "/v1/sync-runs"), "{all:?}");
    let all = all.json();
    let appids: Vec<_> = all["data"].as_array().unwrap().iter().map(|run| &run["appid"]).collect();
    assert_eq!(appids, [world.main().appid(), others[1]]);
    assert_eq!(all["next_cursor"], Value::Null);
    let none = api.post("", json!({})).await;
    assert_eq!(status_and_code(&none), (409, "sync_running".into()));
    for run in all["data"].as_array().unwrap().iter().chain([&first.json()]) {
        api.wait_for_state(&run["id"], "succeeded").await;
    }
    api.app.assert_mirrors(&world).await;
    let done = api.get("?state=succeeded").await.json();
    assert_eq!(done["data"].as_array().unwrap().len(), 3);
    assert_eq!(api.get("?state=held").await.json()["data"], json!([]));
    let one = api.get(&format!("?state=succeeded&appid={}", others[1])).await.json();
    assert_eq!(
        (one["data"].as_array().unwrap().len(), &one["data"][0]["appid"]),
        (1, &others[1].into())
    );
}

#[tokio::test]
async fn invalid_run_ids_accounts_and_cursors_are_rejected_by_code() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let api = Api::new(TestApp::against(&world).await).await;
    for id in ["1", "0", "-1", "9223372036854775807"] {
        assert_eq!(
            status_and_code(&api.get(&format!("/{id}")).await),
            (404, "sync_run_unknown".into())
        );
        let answer = api.post(&format!("/{id}/cancel"), json!({})).await;
        assert_eq!(status_and_code(&answer), (404, "sync_run_unknown".into()));
    }
    for id in ["x", "1.5", "9223372036854775808", "%00", "1%25", "1;drop"] {
        assert_eq!(
            status_and_code(&api.get(&format!("/{id}")).await),
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
        let answer = api.get(&format!("?{query}")).await;
        assert_eq!(status_and_code(&answer), (400, "invalid_query".into()), "{query:.60}");
    }
    let unknown = (404, "official_account_unknown".to_owned());
    assert_eq!(status_and_code(&api.get("?appid=wx0000000000000000").await), unknown);
    assert_eq!(status_and_code(&api.post("", json!({ "appid": MINI_PROGRAM })).await), unknown);
    for body in
        [json!({ "appid": "" }), json!({ "full": "yes" }), json!({ "ful": true }), json!([])]
    {
        assert_eq!(status_and_code(&api.post("", body).await), (400, "invalid_body".into()));
    }
    assert_eq!(api.get("").await.json(), json!({ "data": [], "next_cursor": null }));
}

#[tokio::test]
async fn a_background_run_is_paused_when_the_process_stops() {
    let world = slow_world(Duration::from_millis(200)).await;
    let app = TestApp::against(&world).await;
    let peer = app.replica(&world).await;
    let api = Api::new(app).await;
    let id = api.post("", json!({})).await.json()["id"].clone();
    until("some pages", || world.requests(Call::UserGet) >= 4).await;
    let Api { service, app, .. } = api;
    let began = Instant::now();
    service.stop().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let run = app.runs().await.remove(0);
    assert_eq!((run.id, run.state.as_str()), (id.as_i64().unwrap(), "paused"));
    assert!(run.counts.pages >= 1);
    // Its lease is released: another process resumes the run at once.
    let next = peer.sync().await.run;
    assert_eq!((next.id, next.resumed_at_page), (run.id, Some(run.counts.pages + 1)));
    peer.assert_mirrors(&world).await;
}

#[tokio::test]
async fn a_stopping_process_starts_no_run() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let app = TestApp::against(&world).await;
    let service = Service::with_grace(app.app.clone(), Duration::from_millis(500)).await;
    let key = service.key(&[Scope::Sync]).await;
    service.request_stop();
    let answer = service.post("/v1/sync-runs", json!({})).key(&key).send().await;
    assert_eq!(status_and_code(&answer), (503, "ending".into()));
    assert!(app.runs().await.is_empty());
}
