//! The central token server: all callers get the same token, and a refused token is refreshed once.

use std::time::{Duration, Instant};

use futures::future::join_all;
use rstest::rstest;
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::json;
use unionid_bridge::keys::NewKey;
use unionid_bridge::model::Scope;
use unionid_bridge::sandbox::{Call, Fault, Options, Sandbox, When};

use crate::harness::{Answer, Backend, Service, TestApp, status_and_code};

const ON: &str = "[http]\ntoken_api = true";

/// The application, its API, a key with the `token` scope, and the path of the Official Account's token.
struct Api {
    service: Service,
    key: String,
    path: String,
    app: TestApp,
}

impl Api {
    async fn new(app: TestApp) -> Self {
        let service = Service::start(&app).await;
        let key = service.key(&[Scope::Token]).await;
        Self { service, key, path: format!("/v1/access-tokens/{}", app.account.appid), app }
    }

    async fn on(world: &Sandbox, toml: &str) -> Self {
        let app = TestApp::configured(world, Backend::Sqlite, &format!("{ON}\n{toml}")).await;
        Self::new(app.unwrap()).await
    }

    async fn read(&self) -> Answer {
        self.service.get(&self.path).key(&self.key).send().await
    }

    async fn refresh(&self, stale: &str) -> Answer {
        let path = format!("{}/refresh", self.path);
        self.service.post(&path, json!({ "stale": stale })).key(&self.key).send().await
    }
}

fn token(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn tokens_are_not_served_unless_the_token_api_is_enabled() {
    let world = Sandbox::with_followers(1).await.unwrap();
    let api = Api::new(TestApp::against(&world).await).await;
    for answer in [api.read().await, api.refresh("x").await] {
        assert_eq!(status_and_code(&answer), (404, "token_api_off".into()));
        assert!(answer.json()["hint"].as_str().unwrap().contains("token_api = true"));
    }
    assert_eq!(world.requests(Call::StableToken), 0);
}

#[rstest]
#[tokio::test]
async fn a_token_has_the_members_of_the_cli_and_every_read_is_audited(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(1).await.unwrap();
    let Some(app) = TestApp::configured(&world, backend, ON).await else { return };
    let api = Api::new(app).await;
    let app = &api.app;
    let answer = api.service.get(&api.path).key(&api.key).header("x-request-id", "r-1");
    let answer = answer.send().await;
    let shown = serde_json::to_value(app.app.tokens.show(&app.account.appid).await.unwrap());
    let members = ["appid", "access_token", "expires_at", "obtained_at"];
    for member in members {
        assert_eq!(answer.json()[member], shown.as_ref().unwrap()[member], "{member}");
    }
    assert_eq!(answer.json().as_object().unwrap().len(), members.len() + 1);
    let left = answer.json()["expires_in"].as_u64().unwrap();
    assert!((7_100..=7_200).contains(&left), "{left}");
    assert_eq!(answer.header("cache-control"), "no-store");

    world.main().invalidate_tokens();
    let next = api.refresh(&token(&answer)).await;
    assert_ne!(token(&next), token(&answer));
    assert_eq!(world.requests(Call::StableToken), 2);

    let program = format!("/v1/access-tokens/{}", world.mini_program().unwrap().appid());
    assert_ne!(token(&api.service.get(&program).key(&api.key).send().await), token(&next));
    use entity::audit::{Column, Entity};
    let lines = Entity::find().order_by_asc(Column::Id).all(app.app.store.reader()).await.unwrap();
    let id = api.key.split('_').nth(1).unwrap();
    let lines: Vec<_> = lines.iter().filter(|line| line.actor == id).collect();
    let actions: Vec<_> = lines.iter().map(|line| line.action.as_str()).collect();
    assert_eq!(actions, ["token.read", "token.refreshed", "token.read"]);
    assert_eq!(lines[0].subject.as_deref(), Some(app.account.appid.as_str()));
    assert_eq!(lines[0].request_id.as_deref(), Some("r-1"));
}

#[rstest]
#[tokio::test]
async fn all_callers_with_a_stale_token_share_one_refresh(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(1).await.unwrap();
    let Some(app) = TestApp::configured(&world, backend, ON).await else { return };
    let other = app.replica(&world).await;
    let api = Api::new(app).await;
    let old = token(&api.read().await);
    let appid = &other.account.appid;
    other.app.tokens.show(appid).await.unwrap();
    world.main().invalidate_tokens();
    world.reset_stats();
    let (many, elsewhere) = tokio::join!(
        join_all((0..30).map(|_| api.refresh(&old))),
        join_all((0..30).map(|_| other.app.tokens.replace_stale(appid, &old))),
    );
    let mut tokens: Vec<_> = many.iter().map(token).collect();
    tokens.extend(elsewhere.into_iter().map(|standing| standing.unwrap().access_token));
    tokens.dedup();
    assert_eq!(tokens.len(), 1);
    assert_ne!(tokens[0], old);
    assert_eq!(world.requests(Call::StableToken), 1);
    // A late caller, or one with an invalid token, gets the same token without a call.
    for stale in [old.as_str(), "a-token-of-long-ago"] {
        assert_eq!(token(&api.refresh(stale).await), tokens[0]);
    }
    assert_eq!(world.requests(Call::StableToken), 1);
}

#[rstest]
#[tokio::test]
async fn a_token_replaced_by_another_process_is_served_within_seconds(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(1).await.unwrap();
    let Some(app) = TestApp::configured(&world, backend, ON).await else { return };
    let api = Api::new(app).await;
    let (old, appid) = (token(&api.read().await), &api.app.account.appid);
    let elsewhere = api.app.replica(&world).await;
    world.main().invalidate_tokens();
    let newer = elsewhere.app.tokens.replace_stale(appid, &old).await.unwrap().access_token;
    assert_ne!(newer, old);
    world.reset_stats();
    let began = Instant::now();
    while token(&api.read().await) == old {
        assert!(began.elapsed() < Duration::from_secs(5), "the invalid token is still served");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(token(&api.read().await), newer);
    // A caller whose old token was refused gets the new one without another refresh.
    assert_eq!(token(&api.refresh(&old).await), newer);
    // The first caller after a while does not get the previous token.
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    world.main().invalidate_tokens();
    let newest = elsewhere.app.tokens.replace_stale(appid, &newer).await.unwrap().access_token;
    let many = join_all((0..20).map(|_| api.read())).await;
    assert!(many.iter().all(|answer| token(answer) == newest));
    assert_eq!(world.requests(Call::StableToken), 1, "only the other process refreshed");
}

#[tokio::test]
async fn the_cached_token_is_served_at_once_while_the_database_is_unreachable() {
    let world = Sandbox::with_followers(1).await.unwrap();
    let app = TestApp::against(&world).await;
    let appid = &app.account.appid;
    let at_hand = app.app.tokens.show(appid).await.unwrap().access_token;
    app.app.store.clone().close().await.unwrap();
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    let began = Instant::now();
    assert_eq!(app.app.tokens.show(appid).await.unwrap().access_token, at_hand);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(world.requests(Call::StableToken), 1);
}

#[rstest]
#[tokio::test]
async fn a_valid_token_reported_as_stale_is_refreshed_at_most_twice(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(1).await.unwrap();
    let Some(app) = TestApp::configured(&world, backend, ON).await else { return };
    let api = Api::new(app).await;
    let good = token(&api.read().await);
    world.reset_stats();
    // Concurrent callers share one refresh.
    for answer in join_all((0..20).map(|_| api.refresh(&good))).await {
        assert_eq!(token(&answer), good);
    }
    assert_eq!(world.requests(Call::StableToken), 1);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert_eq!(token(&api.refresh(&good).await), good);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    for _ in 0..3 {
        let answer = api.refresh(&good).await;
        assert_eq!(status_and_code(&answer), (503, "token_contested".into()));
        assert!(answer.json()["hint"].as_str().unwrap().contains("another system"));
        assert_eq!(answer.header("retry-after"), "300");
    }
    assert_eq!(world.requests(Call::StableToken), 2);
    assert_eq!(token(&api.read().await), good);
}

#[tokio::test]
async fn the_old_token_is_served_while_its_renewal_is_slow() {
    let options = Options { token_lifetime: Duration::from_secs(6), ..Options::with_followers(1) };
    let world = Sandbox::start(options).await.unwrap();
    let api = Api::on(&world, "").await;
    let old = token(&api.read().await);
    tokio::time::sleep(Duration::from_millis(3_200)).await;
    world.fail(Call::StableToken, 1, Fault::Stall(Duration::from_millis(1_000)));
    let began = Instant::now();
    let served = join_all((0..10).map(|_| api.read())).await;
    assert!(began.elapsed() < Duration::from_millis(800), "{:?}", began.elapsed());
    assert!(served.iter().all(|answer| token(answer) == old));
    while token(&api.read().await) == old {
        assert!(began.elapsed() < Duration::from_secs(2), "the token was not renewed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(world.requests(Call::StableToken), 2);
}

#[tokio::test]
async fn each_wechat_failure_has_its_own_status_and_code() {
    let world = Sandbox::with_followers(1).await.unwrap();
    let api = Api::on(&world, "").await;
    for (fault, status, code) in [
        (Fault::HttpStatus(502), 503, "wechat_busy"),
        (Fault::Errcode(-1), 503, "wechat_busy"),
        (Fault::Errcode(45009), 503, "wechat_quota_spent"),
        (Fault::Html, 502, "wechat_not_understood"),
        (Fault::Errcode(40125), 502, "wechat_refused"),
        (Fault::Errcode(40001), 502, "wechat_refused"),
    ] {
        let rule = world.fail(Call::StableToken, When::Always, fault.clone());
        let answer = api.read().await;
        assert_eq!(status_and_code(&answer), (status, code.into()), "{fault:?}");
        assert_eq!(status == 503, !answer.header("retry-after").is_empty(), "{fault:?}");
        if let Fault::Errcode(errcode) = fault {
            assert_eq!(answer.json()["upstream"]["errcode"], errcode);
        }
        assert!(world.hits(rule) > 0);
        world.clear_faults();
    }
    world.main().refuse_address(true);
    let answer = api.read().await;
    assert_eq!(status_and_code(&answer), (502, "wechat_refused".into()));
    assert!(answer.json()["hint"].as_str().unwrap().contains("whitelist"), "{answer:?}");
    world.main().refuse_address(false);
    token(&api.read().await);
}

#[tokio::test]
async fn a_wechat_that_does_not_answer_ends_in_a_504() {
    let world = Sandbox::with_followers(1).await.unwrap();
    let api = Api::on(&world, "").await;
    world.fail(Call::StableToken, When::Always, Fault::Stall(Duration::from_secs(60)));
    let began = Instant::now();
    assert_eq!(status_and_code(&api.read().await), (504, "wechat_too_slow".into()));
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    world.clear_faults();
    token(&api.read().await);
}

#[tokio::test]
async fn unknown_or_disallowed_accounts_and_malformed_tokens_are_rejected() {
    let world = Sandbox::with_followers(1).await.unwrap();
    let api = Api::on(&world, "").await;
    let get = async |appid: &str, key: &str| {
        api.service.get(&format!("/v1/access-tokens/{appid}")).key(key).send().await
    };
    let answer = get("wx0000000000000000", &api.key).await;
    assert_eq!(status_and_code(&answer), (404, "account_unknown".into()));
    assert!(answer.json()["hint"].as_str().unwrap().contains(world.main().appid()));
    for strange in ["%00", "%25", "a%20b", "%E2%80%AE", &"x".repeat(65)] {
        assert_eq!(get(strange, &api.key).await.code(), "invalid_path", "{strange}");
    }
    let program = world.mini_program().unwrap().appid().parse().unwrap();
    let limited = NewKey { scopes: vec![Scope::Token], appids: vec![program], ..NewKey::default() };
    let limited = api.service.key_of(limited).await;
    let answer = get(world.main().appid(), &limited).await;
    assert_eq!(status_and_code(&answer), (403, "app_not_allowed".into()));
    assert_eq!(get(world.mini_program().unwrap().appid(), &limited).await.status, 200);
    world.reset_stats();
    for stale in ["", " ", "a\u{0}b", "\u{202e}", &"x".repeat(1_025)] {
        let answer = api.refresh(stale).await;
        assert_eq!(status_and_code(&answer), (400, "invalid_body".into()), "{stale:?}");
    }
    assert_eq!(world.requests(Call::StableToken), 0);
}

#[rstest]
#[tokio::test]
async fn no_token_is_served_if_the_read_cannot_be_audited(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(1).await.unwrap();
    let Some(app) = TestApp::configured(&world, backend, ON).await else { return };
    let api = Api::new(app).await;
    token(&api.read().await);
    api.service.app.store.clone().close().await.unwrap();
    let began = Instant::now();
    assert_eq!(status_and_code(&api.read().await), (503, "database_unavailable".into()));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
