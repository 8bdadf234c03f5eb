//! `/v1/resolve-openid` for one user or a thousand: each gets an openid or a reason.

use rstest::rstest;
use serde_json::{Value, json};
use unionid_bridge::keys::NewKey;
use unionid_bridge::model::{AppId, Scope};
use unionid_bridge::sandbox::{Account, Call, OfficialAccount, Options, Quirk, Sandbox};

use crate::harness::{Answer, Backend, Service, TestApp, status_and_code};

const SECOND: &str = "wx0a00000000000002";

/// A sandbox with two Official Accounts.
async fn world() -> Sandbox {
    let mut options = Options { page_size: 100, ..Options::with_followers(300) };
    let secret = "5a5d0b0c0a11ce0000000000000000a2";
    options.official_accounts.push(OfficialAccount::new("news", SECOND, secret, 50));
    Sandbox::start(options).await.unwrap()
}

/// Person 9 has left the first account. Users 7, 8, 9 and 1,000 have logged in, 8 without a unionid.
struct Setup {
    world: Sandbox,
    app: TestApp,
    service: Service,
    key: String,
}

impl Setup {
    async fn on(backend: Backend) -> Option<Self> {
        let world = world().await;
        let app = TestApp::on(&world, backend).await?;
        app.sync_true(&world).await;
        world.main().leave([9]);
        app.sync_true(&world).await;
        app.for_account(1).sync().await;
        let service = Service::start(&app).await;
        let key = service.key(&[Scope::Login, Scope::Resolve, Scope::Erase]).await;
        let setup = Self { world, app, service, key };
        setup.program().quirk([8], Quirk::NoUnionidAtLogin);
        for person in [7, 8, 9, 1_000] {
            setup.log_in(person).await;
        }
        Some(setup)
    }

    fn program(&self) -> Account {
        self.world.mini_program().unwrap()
    }

    async fn log_in(&self, person: u64) -> Value {
        let body = json!({ "code": self.program().mint_code(person) });
        let answer = self.service.post("/v1/login", body).key(&self.key).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    async fn get(&self, query: &str) -> Answer {
        self.get_by(&self.key, query).await
    }

    async fn get_by(&self, key: &str, query: &str) -> Answer {
        self.service.get(&format!("/v1/resolve-openid?{query}")).key(key).send().await
    }

    async fn post(&self, body: Value) -> Answer {
        self.service.post("/v1/resolve-openid", body).key(&self.key).send().await
    }

    /// Creates a key that is limited to these accounts.
    async fn only(&self, scope: Scope, appids: &[&str]) -> String {
        let appids: Vec<AppId> = appids.iter().map(|appid| appid.parse().unwrap()).collect();
        self.service.key_of(NewKey { scopes: vec![scope], appids, ..NewKey::default() }).await
    }
}

/// The query parameters that name a user.
fn named(account: &Account, person: u64) -> String {
    format!("appid={}&openid={}", account.appid(), account.person(person).openid)
}

#[rstest]
#[tokio::test]
async fn a_user_is_resolved_or_the_code_states_the_reason(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(setup) = Setup::on(backend).await else { return };
    let (main, program) = (setup.world.main(), setup.program());
    let to = format!("to={}", main.appid());
    let found = setup.get(&format!("{}&{to}", named(&program, 7))).await;
    assert_eq!(found.status, 200, "{found:?}");
    let json = found.json();
    let verified_at = json["verified_at"].as_str().unwrap();
    assert!(verified_at.ends_with('Z'), "{verified_at}");
    let person = main.person(7);
    assert_eq!(
        json,
        json!({
            "status": "resolved",
            "official_account": main.appid(),
            "openid": person.openid,
            "unionid": person.unionid,
            "subscribed": true,
            "verified_at": verified_at,
        })
    );
    let by_unionid = setup.get(&format!("unionid={}&{to}", person.unionid.unwrap())).await;
    assert_eq!(by_unionid.json(), json);
    for (person, code) in
        [(2_000, "user_unknown"), (8, "no_unionid"), (1_000, "not_a_follower"), (9, "unfollowed")]
    {
        let refused = setup.get(&format!("{}&{to}", named(&program, person))).await;
        assert_eq!(status_and_code(&refused), (404, code.to_owned()));
        assert!(refused.json()["hint"].is_string(), "{refused:?}");
        assert!(!refused.text.contains(&program.person(person).openid));
    }
}

#[rstest]
#[tokio::test]
async fn many_users_are_resolved_in_request_order(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(setup) = Setup::on(backend).await else { return };
    let (main, program) = (setup.world.main(), setup.program());
    let by_openid =
        |person: u64| json!({ "appid": program.appid(), "openid": program.person(person).openid });
    let by_unionid = |person: u64| json!({ "unionid": main.person(person).unionid });
    let mut users = vec![by_openid(8), by_unionid(9), by_openid(7), by_openid(1_000)];
    users.extend([by_unionid(1_000), by_openid(2_000), by_unionid(2_000)]);
    users.extend((0..993).map(|n| by_unionid(n % 300)));
    let answer = setup.post(json!({ "to": main.appid(), "users": users })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 1_000);
    let statuses: Vec<_> =
        results[..7].iter().map(|result| result["status"].as_str().unwrap()).collect();
    let expected = ["no_unionid", "unfollowed", "resolved", "not_a_follower", "not_a_follower"];
    assert_eq!(statuses[..5], expected);
    assert_eq!(statuses[5..], ["user_unknown", "user_unknown"]);
    assert_eq!(results[0], json!({ "status": "no_unionid" }));
    for (n, result) in results[7..].iter().enumerate().filter(|(n, _)| n % 300 != 9) {
        let person = main.person(n as u64 % 300);
        assert_eq!(result["openid"], person.openid, "{n}: {result}");
        assert_eq!(result["official_account"], main.appid());
    }
    users.push(by_unionid(1));
    let refused = setup.post(json!({ "to": main.appid(), "users": users })).await;
    assert_eq!(status_and_code(&refused), (400, "too_many_users".into()));
    let nobody = setup.post(json!({ "to": main.appid(), "users": [] })).await;
    assert_eq!(nobody.json(), json!({ "results": [] }));
}

/// T33, and other invalid requests.
#[tokio::test]
async fn malicious_and_invalid_requests_are_rejected() {
    let setup = Setup::on(Backend::Sqlite).await.unwrap();
    let (main, program) = (setup.world.main(), setup.program());
    let to = format!("to={}", main.appid());
    let megabyte = "x".repeat(60_000);
    for value in [
        "'%20OR%201=1--",
        "%00",
        "o%00",
        "%E2%80%AEo",
        "%25",
        "o%25",
        "a%20b",
        "%F0%9F%98%80",
        "",
        &megabyte,
    ] {
        for query in [
            format!("unionid={value}&{to}"),
            format!("appid={}&openid={value}&{to}", program.appid()),
            format!("appid={value}&openid=oA&{to}"),
            format!("unionid=oA&to={value}"),
        ] {
            let refused = setup.get(&query).await;
            assert_eq!(status_and_code(&refused), (400, "invalid_query".into()), "{query:.80}");
        }
    }
    for query in [
        to.clone(),
        format!("appid={}&{to}", program.appid()),
        format!("openid=oA&{to}"),
        format!("unionid=oA&openid=oA&{to}"),
        format!("unionid=oA&{}&{to}", named(&program, 7)),
        format!("unionid=oA&unionid=oB&{to}"),
        format!("unionid=oA&limit=5&{to}"),
    ] {
        assert_eq!(
            status_and_code(&setup.get(&query).await),
            (400, "invalid_query".into()),
            "{query}"
        );
    }
    for users in [
        json!([{}]),
        json!([{ "appid": "wx1" }]),
        json!([{ "unionid": "oA", "openid": "oA" }]),
        json!([{ "unionid": "oA\u{0}" }]),
        json!([{ "unionid": "o' OR 1=1" }]),
        json!([{ "unionid": "\u{202e}oA" }]),
        json!([{ "unionid": 7 }]),
        json!([{ "unionid": "oA", "more": 1 }]),
        json!([[]]),
        json!({}),
    ] {
        let body = json!({ "to": main.appid(), "users": users });
        let refused = setup.post(body.clone()).await;
        assert_eq!(status_and_code(&refused), (400, "invalid_body".into()), "{body}");
        assert!(refused.json()["detail"].as_str().unwrap().contains("users"), "{refused:?}");
    }
    let huge = json!({ "users": [], "to": "x".repeat(1_000_000) });
    assert_eq!(status_and_code(&setup.post(huge).await), (413, "body_too_large".into()));
}

#[tokio::test]
async fn the_account_is_required_if_there_are_several_and_must_be_known() {
    let setup = Setup::on(Backend::Sqlite).await.unwrap();
    let main = setup.world.main();
    let refused = setup.get("unionid=oA").await;
    assert_eq!(status_and_code(&refused), (400, "official_account_needed".into()));
    assert!(refused.json()["hint"].as_str().unwrap().contains(SECOND), "{refused:?}");
    let refused = setup.get("unionid=oA&to=wx0000000000000000").await;
    assert_eq!(status_and_code(&refused), (404, "official_account_unknown".into()));
    let refused = setup.get(&format!("appid=wx0&openid=oA&to={SECOND}")).await;
    assert_eq!(status_and_code(&refused), (404, "account_unknown".into()));

    // With one account, it does not have to be named.
    let world = Sandbox::with_followers(20).await.unwrap();
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    let service = Service::start(&app).await;
    let key = service.key(&[Scope::Resolve]).await;
    let person = world.main().person(7);
    let path = format!("/v1/resolve-openid?unionid={}", person.unionid.unwrap());
    assert_eq!(service.get(&path).key(&key).send().await.json()["openid"], person.openid);

    let only = setup.only(Scope::Resolve, &[main.appid(), setup.program().appid()]).await;
    let query = named(&setup.program(), 7);
    let allowed = setup.get_by(&only, &format!("{query}&to={}", main.appid())).await;
    assert_eq!(allowed.status, 200, "{allowed:?}");
    for query in [
        format!("{query}&to={SECOND}"),
        format!("unionid=oA&to={SECOND}"),
        format!("{}&to={}", named(&setup.world.account(SECOND).unwrap(), 7), main.appid()),
    ] {
        let refused = setup.get_by(&only, &query).await;
        assert_eq!(status_and_code(&refused), (403, "app_not_allowed".into()), "{query}");
    }
}

#[rstest]
#[tokio::test]
async fn an_identity_is_shown_and_stays_erased_until_the_next_login(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(setup) = Setup::on(backend).await else { return };
    let (main, second, program) =
        (setup.world.main(), setup.world.account(SECOND).unwrap(), setup.program());
    let unionid = main.person(7).unionid.unwrap();
    let path = format!("/v1/identities/{unionid}");
    let shown = setup.service.get(&path).key(&setup.key).send().await;
    assert_eq!(shown.status, 200, "{shown:?}");
    let shown = shown.json();
    assert_eq!(shown["unionid"], unionid.as_str());
    let openids: Vec<_> = [&shown["official_accounts"], &shown["mini_programs"]]
        .into_iter()
        .flat_map(|accounts| accounts.as_array().unwrap())
        .map(|account| account["openid"].as_str().unwrap().to_owned())
        .collect();
    let all = [&main, &second, &program].map(|account| account.person(7).openid);
    assert_eq!(openids, all);
    // A key for one account sees only that account.
    let only = setup.only(Scope::Resolve, &[SECOND]).await;
    let some = setup.service.get(&path).key(&only).send().await.json();
    assert_eq!(
        (&some["mini_programs"], some["official_accounts"][0]["appid"].as_str()),
        (&json!([]), Some(SECOND))
    );

    let erased = setup.service.delete(&path).key(&setup.key).send().await;
    assert_eq!((erased.status, erased.text.as_str()), (204, ""));
    let gone = setup.service.get(&path).key(&setup.key).send().await;
    assert_eq!(status_and_code(&gone), (404, "user_unknown".into()));
    let query = format!("{}&to={}", named(&program, 7), main.appid());
    assert_eq!(status_and_code(&setup.get(&query).await), (404, "user_unknown".into()));
    // Syncs do not restore them.
    setup.app.sync().await;
    setup.app.for_account(1).sync().await;
    assert_eq!(setup.service.get(&path).key(&setup.key).send().await.status, 404);

    assert_eq!(setup.log_in(7).await["new_user"], true);
    setup.app.sync_true(&setup.world).await;
    assert_eq!(setup.get(&query).await.json()["openid"], main.person(7).openid);
}

#[rstest]
#[tokio::test]
async fn an_erasure_is_idempotent_and_audited_without_the_unionid(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    use sea_orm::EntityTrait;

    let Some(setup) = Setup::on(backend).await else { return };
    let unionid = setup.world.main().person(7).unionid.unwrap();
    let path = format!("/v1/identities/{unionid}");
    for _ in 0..2 {
        let erase = setup.service.delete(&path).key(&setup.key).header("x-request-id", "case-17");
        assert_eq!(erase.send().await.status, 204);
    }
    let lines = entity::audit::Entity::find().all(setup.app.app.store.reader()).await.unwrap();
    let lines: Vec<_> = lines.iter().filter(|line| line.action == "person.erased").collect();
    assert_eq!(lines.len(), 2);
    for line in lines {
        assert_eq!(line.request_id.as_deref(), Some("case-17"));
        assert!(setup.key.contains(&line.actor));
        let person = line.subject.as_deref().unwrap();
        assert!(person.len() == 64 && !person.contains(&unionid), "{person}");
    }
    // An erasure affects all accounts, so a key for some accounts may not request it.
    let some = setup.only(Scope::Erase, &[SECOND]).await;
    let refused = setup.service.delete(&path).key(&some).send().await;
    assert_eq!(status_and_code(&refused), (403, "app_not_allowed".into()));
    for unionid in ["%27%20OR%201=1", "a%00", "%E2%80%AE", &"x".repeat(65)] {
        for method in ["GET", "DELETE"] {
            let path = format!("/v1/identities/{unionid}");
            let refused = setup.service.call(method, &path).key(&setup.key).send().await;
            assert_eq!(status_and_code(&refused), (400, "invalid_path".into()), "{unionid}");
        }
    }
}

/// T20: without a free connection, callers get an error within a second, and a login's code is not lost.
#[rstest]
#[tokio::test]
async fn an_exhausted_pool_is_answered_with_503_within_a_second(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(20).await.unwrap();
    let Some(app) = TestApp::pooled(&world, backend, 1, "").await else { return };
    app.sync_true(&world).await;
    let service = Service::start(&app).await;
    let key = service.key(&[Scope::Login, Scope::Resolve]).await;
    let path = format!("/v1/resolve-openid?unionid={}", world.main().person(7).unionid.unwrap());
    assert_eq!(service.get(&path).key(&key).send().await.status, 200);
    let code = world.mini_program().unwrap().mint_code(7);
    let log_in = || service.post("/v1/login", json!({ "code": code })).key(&key).send();
    let began = std::time::Instant::now();
    // SQLite has separate connections for writes and reads; database servers use one pool for both.
    let reading = app.app.store.reader().begin().await.unwrap();
    let writing = match backend {
        Backend::Sqlite => Some(app.app.store.begin().await.unwrap()),
        _ => None,
    };
    let (resolved, logged_in) = tokio::join!(service.get(&path).key(&key).send(), log_in());
    assert!(began.elapsed().as_millis() < 1_500, "{:?}", began.elapsed());
    for answer in [resolved, logged_in] {
        assert_eq!(status_and_code(&answer), (503, "database_unavailable".into()));
        assert_eq!(answer.header("retry-after"), "2");
    }
    drop((reading, writing));
    assert_eq!(service.get(&path).key(&key).send().await.status, 200);
    assert_eq!((log_in().await.status, world.requests(Call::Jscode2session)), (200, 1));
}
