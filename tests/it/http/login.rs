//! `POST /v1/login`: each code is exchanged once, and every refusal has a hint.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use futures::future::join_all;
use rstest::rstest;
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use unionid_bridge::app::App;
use unionid_bridge::clock::Clock;
use unionid_bridge::keys::NewKey;
use unionid_bridge::login::Request;
use unionid_bridge::model::{AppId, Scope};
use unionid_bridge::sandbox::{
    Account, Call, Fault, MiniProgram, OfficialAccount, Options, Quirk, Sandbox, UserData,
};

use unionid_bridge::wechat::RetryPolicy;

use crate::harness::{Answer, Backend, Service, TestApp, paged_world, status_and_code};

/// A service, its sandbox, and a key with the `login` scope.
struct Setup {
    world: Sandbox,
    app: TestApp,
    service: Service,
    key: String,
}

impl Setup {
    async fn on(backend: Backend) -> Option<Self> {
        Self::configured(backend, "").await
    }

    async fn configured(backend: Backend, toml: &str) -> Option<Self> {
        Self::of(paged_world(100, 300).await, backend, toml).await
    }

    async fn of(world: Sandbox, backend: Backend, toml: &str) -> Option<Self> {
        let app = TestApp::configured(&world, backend, toml).await?;
        let service = Service::start(&app).await;
        let key = service.key(&[Scope::Login]).await;
        Some(Self { world, app, service, key })
    }

    async fn on_sqlite() -> Self {
        Self::on(Backend::Sqlite).await.unwrap()
    }

    fn program(&self) -> Account {
        self.world.mini_program().unwrap()
    }

    async fn log_in(&self, body: Value) -> Answer {
        self.log_in_by(&self.key, body).await
    }

    async fn log_in_by(&self, key: &str, body: Value) -> Answer {
        self.service.post("/v1/login", body).key(key).send().await
    }

    fn exchanges(&self) -> u64 {
        self.world.requests(Call::Jscode2session)
    }
}

#[rstest]
#[tokio::test]
async fn a_login_links_the_user_and_returns_every_known_openid(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(setup) = Setup::on(backend).await else { return };
    setup.app.sync_true(&setup.world).await;
    let (main, program) = (setup.world.main(), setup.program());
    let answer = setup.log_in(json!({ "code": program.mint_code(7) })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let expected = json!({
        "appid": program.appid(),
        "openid": program.person(7).openid,
        "unionid": program.person(7).unionid,
        "new_user": true,
        "official_accounts": [
            { "appid": main.appid(), "openid": main.person(7).openid, "subscribed": true },
        ],
    });
    assert_eq!(answer.json(), expected);
    assert!(!answer.text.contains(&program.session_key(7)));

    main.leave([7]);
    setup.app.sync_true(&setup.world).await;
    let body = json!({ "code": program.mint_code(7), "appid": program.appid() });
    let again = setup.log_in(body).await.json();
    assert_eq!((&again["new_user"], &again["openid"]), (&json!(false), &expected["openid"]));
    assert_eq!(again["official_accounts"][0]["subscribed"], false);
    // Somebody who never followed is a user too.
    let stranger = setup.log_in(json!({ "code": program.mint_code(5_000) })).await.json();
    assert_eq!((&stranger["new_user"], &stranger["official_accounts"]), (&json!(true), &json!([])));
}

#[rstest]
#[tokio::test]
async fn fifty_concurrent_logins_with_one_code_make_one_exchange(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(setup) = Setup::on(backend).await else { return };
    let stall = Fault::Stall(Duration::from_millis(200));
    setup.world.fail(Call::Jscode2session, 1.., stall);
    let code = setup.program().mint_code(7);
    let answers = join_all((0..50).map(|_| setup.log_in(json!({ "code": code })))).await;
    let first = answers[0].json();
    assert_eq!(first["new_user"], true);
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.json() == first));
    // The same answer afterwards, but not for another key.
    assert_eq!(setup.log_in(json!({ "code": code })).await.json(), first);
    let other = setup.service.key(&[Scope::Login]).await;
    let refused = setup.log_in_by(&other, json!({ "code": code })).await;
    assert_eq!(status_and_code(&refused), (409, "login_code_used".into()));
    assert_eq!(setup.exchanges(), 1);
}

#[tokio::test]
async fn each_wechat_rejection_has_its_own_code_and_the_errcode() {
    let setup = Setup::on_sqlite().await;
    let program = setup.program();
    program.quirk([8], Quirk::HighRisk);
    let used = program.mint_code(9);
    let elsewhere = Setup::of(setup.world.clone(), Backend::Sqlite, "").await.unwrap();
    assert_eq!(elsewhere.log_in(json!({ "code": used })).await.status, 200);
    for (code, status, expected, errcode) in [
        ("0garbage".to_owned(), 400, "login_code_invalid", 40029),
        (used, 409, "login_code_used", 40163),
        (program.mint_code(8), 403, "login_user_blocked", 40226),
    ] {
        for _ in 0..2 {
            let refused = setup.log_in(json!({ "code": code })).await;
            assert_eq!(status_and_code(&refused), (status, expected.to_owned()));
            assert_eq!(refused.json()["upstream"]["errcode"], errcode, "{refused:?}");
            assert!(refused.json()["hint"].as_str().unwrap().len() > 10);
            assert!(!refused.text.contains(&code));
        }
    }
    setup.world.fail(Call::Jscode2session, 1, Fault::Errcode(45011));
    let refused = setup.log_in(json!({ "code": program.mint_code(7) })).await;
    assert_eq!(status_and_code(&refused), (429, "login_rate_limited".into()));
    assert_eq!(refused.header("retry-after"), "60");
    // Each of the four codes was exchanged once, and one code also elsewhere.
    assert_eq!(setup.exchanges(), 5);
}

#[rstest]
#[case::html(Fault::Html, 502, "wechat_not_understood")]
#[case::truncated(Fault::Truncated, 502, "wechat_not_understood")]
#[case::secret(Fault::Errcode(40125), 502, "wechat_refused")]
#[case::quota(Fault::Errcode(45009), 503, "wechat_quota_spent")]
#[case::gateway(Fault::HttpStatus(502), 503, "wechat_busy")]
#[case::lost(Fault::AnswerLost, 503, "wechat_busy")]
#[tokio::test]
async fn a_wechat_failure_answers_5xx_and_the_code_is_not_sent_again(
    #[case] fault: Fault,
    #[case] status: u16,
    #[case] expected: &str,
) {
    let setup = Setup::on_sqlite().await;
    setup.world.fail(Call::Jscode2session, 1, fault);
    let code = setup.program().mint_code(7);
    for _ in 0..2 {
        // The code was sent to WeChat, so it is never sent again.
        let refused = setup.log_in(json!({ "code": code })).await;
        assert_eq!(status_and_code(&refused), (status, expected.to_owned()), "{refused:?}");
        assert_eq!(refused.header("retry-after").is_empty(), status != 503);
    }
    assert_eq!(setup.exchanges(), 1);
    assert_eq!(setup.log_in(json!({ "code": setup.program().mint_code(7) })).await.status, 200);
}

#[tokio::test]
async fn a_code_can_be_retried_after_wechat_was_busy() {
    let setup = Setup::on_sqlite().await;
    setup.world.fail(Call::Jscode2session, 1..=2, Fault::Errcode(-1));
    let code = setup.program().mint_code(7);
    let busy = setup.log_in(json!({ "code": code })).await;
    assert_eq!(status_and_code(&busy), (503, "wechat_busy".into()));
    assert_eq!(setup.log_in(json!({ "code": code })).await.status, 200);
}

#[tokio::test]
async fn an_invalid_login_request_is_rejected_without_calling_wechat() {
    let setup = Setup::on_sqlite().await;
    let long = "x".repeat(129);
    for (body, status, expected) in [
        (json!({}), 400, "invalid_body"),
        (json!({ "code": 7 }), 400, "invalid_body"),
        (json!({ "code": "x", "extra": 1 }), 400, "invalid_body"),
        (json!({ "code": "x", "appid": "wx'; DROP TABLE account; --" }), 400, "invalid_body"),
        (json!({ "code": "x", "appid": "wx\u{0}" }), 400, "invalid_body"),
        (json!({ "code": "" }), 400, "login_code_invalid"),
        (json!({ "code": "the code is a mock one" }), 400, "login_code_invalid"),
        (json!({ "code": "a\u{202e}b" }), 400, "login_code_invalid"),
        (json!({ "code": long }), 400, "login_code_invalid"),
        (json!({ "code": "x", "iv": "y" }), 400, "encrypted_data_invalid"),
        (json!({ "code": "x", "encrypted_data": "y" }), 400, "encrypted_data_invalid"),
        (json!({ "code": "x", "appid": "wx0000000000000000" }), 404, "mini_program_unknown"),
        // An Official Account is not a Mini Program.
        (json!({ "code": "x", "appid": setup.world.main().appid() }), 404, "mini_program_unknown"),
        (json!({ "code": "x".repeat(17_000) }), 413, "body_too_large"),
    ] {
        let refused = setup.log_in(body).await;
        assert_eq!(status_and_code(&refused), (status, expected.to_owned()), "{refused:?}");
    }
    assert_eq!(setup.exchanges(), 0);
}

#[tokio::test]
async fn the_mini_program_is_required_if_several_are_configured() {
    let mut options = Options { page_size: 100, ..Options::with_followers(100) };
    let (second, secret) = ("wx3b00000000000002", "5a5d0b0c0a11ce0000000000000000b2");
    options.mini_programs.push(MiniProgram::new("game", second, secret));
    let setup =
        Setup::of(Sandbox::start(options).await.unwrap(), Backend::Sqlite, "").await.unwrap();
    let refused = setup.log_in(json!({ "code": "x" })).await;
    assert_eq!(status_and_code(&refused), (400, "mini_program_needed".into()));
    assert!(refused.json()["hint"].as_str().unwrap().contains(second));
    let code = setup.world.account(second).unwrap().mint_code(7);
    let answer = setup.log_in(json!({ "code": code, "appid": second })).await;
    assert_eq!(answer.json()["appid"], second);
    // A code belongs to one Mini Program: for another one, the same text is a different code.
    let refused = setup.log_in(json!({ "code": code, "appid": setup.program().appid() })).await;
    assert_eq!(status_and_code(&refused), (400, "login_code_invalid".into()));
}

#[tokio::test]
async fn a_key_for_some_accounts_cannot_use_or_see_other_accounts() {
    let mut options = Options { page_size: 100, ..Options::with_followers(100) };
    let secret = "5a5d0b0c0a11ce0000000000000000a2";
    options.official_accounts.push(OfficialAccount::new("news", "wx0a00000000000002", secret, 50));
    let setup =
        Setup::of(Sandbox::start(options).await.unwrap(), Backend::Sqlite, "").await.unwrap();
    setup.app.sync().await;
    setup.app.for_account(1).sync().await;
    let (main, program) = (setup.world.main(), setup.program());
    let only = async |appids: &[&str]| {
        let appids: Vec<AppId> = appids.iter().map(|appid| appid.parse().unwrap()).collect();
        let scopes = vec![Scope::Login];
        setup.service.key_of(NewKey { scopes, appids, ..NewKey::default() }).await
    };
    let elsewhere = only(&[main.appid()]).await;
    let refused = setup.log_in_by(&elsewhere, json!({ "code": program.mint_code(7) })).await;
    assert_eq!(status_and_code(&refused), (403, "app_not_allowed".into()));
    assert_eq!(setup.exchanges(), 0);

    let both = setup.log_in(json!({ "code": program.mint_code(7) })).await.json();
    assert_eq!(both["official_accounts"].as_array().unwrap().len(), 2);
    let key = only(&[program.appid(), main.appid()]).await;
    let one = setup.log_in_by(&key, json!({ "code": program.mint_code(7) })).await.json();
    assert_eq!(one["official_accounts"].as_array().unwrap().len(), 1);
    assert_eq!(one["official_accounts"][0]["appid"], main.appid());
}

#[rstest]
#[tokio::test]
async fn ten_thousand_guessed_codes_are_rate_limited_for_their_key_only(
    #[values(1, 200)] at_once: usize,
) {
    let toml = "[login]\nrefused_codes_per_minute = 20";
    let setup = Setup::configured(Backend::Sqlite, toml).await.unwrap();
    let other = setup.service.key(&[Scope::Login]).await;
    let guesses: Vec<_> = (0..10_000 / (201 - at_once)).map(|n| format!("0guess{n}")).collect();
    let mut stopped = 0;
    for chunk in guesses.chunks(at_once) {
        let tries = chunk.iter().map(|code| setup.log_in(json!({ "code": code })));
        for answer in join_all(tries).await {
            match answer.status {
                429 => {
                    assert_eq!(answer.code(), "login_codes_refused");
                    assert!(["1", "2", "3"].contains(&answer.header("retry-after")), "{answer:?}");
                    stopped += 1;
                }
                _ => assert_eq!(status_and_code(&answer), (400, "login_code_invalid".into())),
            }
        }
    }
    // Exchanges in flight when the budget was spent exceed it, and the budget refills a little each minute.
    let max = 20 + at_once as u64 + 10;
    assert!(setup.exchanges() <= max, "{} of {}", setup.exchanges(), guesses.len());
    assert_eq!(setup.exchanges() + stopped, guesses.len() as u64);
    let code = setup.program().mint_code(7);
    assert_eq!(setup.log_in_by(&other, json!({ "code": code })).await.status, 200);
    // Remembered codes are still answered, without an exchange.
    let known = setup.log_in(json!({ "code": guesses[0] })).await;
    assert_eq!(status_and_code(&known), (400, "login_code_invalid".into()));
}

#[rstest]
#[tokio::test]
async fn encrypted_data_provides_the_unionid_that_the_login_lacks(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(setup) = Setup::on(backend).await else { return };
    let program = setup.program();
    let unionid = program.person(7).unionid.unwrap();
    program.quirk([7], Quirk::NoUnionidAtLogin);
    let body = |data: UserData| {
        let (encrypted_data, iv) = program.encrypted_user_data(data);
        json!({ "code": program.mint_code(7), "encrypted_data": encrypted_data, "iv": iv })
    };
    let without = setup.log_in(json!({ "code": program.mint_code(7) })).await.json();
    assert_eq!((&without["unionid"], &without["official_accounts"]), (&Value::Null, &json!([])));
    let now = setup.app.app.clock.now().timestamp();
    let key: [u8; 16] = STANDARD.decode(program.session_key(7)).unwrap().try_into().unwrap();
    let good = || UserData::of(7);
    for (data, expected) in [
        (UserData::of(8).under(key), "another user"),
        (good().watermarked("wx0000000000000000"), "another Mini Program"),
        (good().under([7; 16]), "does not belong to this login"),
        (good().at(now - 700), "too old"),
    ] {
        let refused = setup.log_in(body(data)).await;
        assert_eq!(status_and_code(&refused), (400, "encrypted_data_invalid".into()));
        assert!(refused.json()["detail"].as_str().unwrap().contains(expected), "{refused:?}");
    }
    assert_eq!(setup.log_in(body(good().at(now - 500))).await.json()["unionid"], unionid.as_str());
    // A known unionid stays if a later login does not return it.
    let later = setup.log_in(json!({ "code": program.mint_code(7) })).await.json();
    assert_eq!(later["unionid"], unionid.as_str());
}

/// T23: the clock of one replica is off by an hour.
#[tokio::test]
async fn encrypted_data_is_accepted_by_a_replica_with_a_wrong_clock() {
    let setup = Setup::on_sqlite().await;
    let program = setup.program();
    program.quirk([7], Quirk::NoUnionidAtLogin);
    let App { config, store, clock, .. } = &*setup.app.app;
    let ahead = Clock::manual(clock.now() + TimeDelta::hours(1));
    let policy = RetryPolicy::never();
    let replica = App::on(config.clone(), store.clone(), ahead, policy).await.unwrap();
    let (encrypted_data, iv) = program.encrypted_user_data(UserData::of(7));
    let (encrypted_data, iv) = (Some(encrypted_data), Some(iv));
    let request = Request { code: program.mint_code(7), encrypted_data, iv, appid: None };
    let answer = replica.login.exchange("test", request).await.unwrap();
    assert_eq!(answer.unionid.unwrap().as_str(), program.person(7).unionid.unwrap());
}

#[tokio::test]
async fn a_code_can_be_reused_after_invalid_encrypted_data() {
    let setup = Setup::on_sqlite().await;
    let program = setup.program();
    program.quirk([7], Quirk::NoUnionidAtLogin);
    let code = program.mint_code(7);
    let body = json!({ "code": code, "encrypted_data": "AAAA", "iv": "AAAA" });
    assert_eq!(status_and_code(&setup.log_in(body).await), (400, "encrypted_data_invalid".into()));
    assert_eq!(setup.log_in(json!({ "code": code })).await.status, 200);
    assert_eq!(setup.exchanges(), 1);
}

#[rstest]
#[tokio::test]
async fn a_session_key_is_stored_only_if_enabled_and_then_encrypted(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
    #[values(false, true)] enabled: bool,
) {
    let toml = format!("[login]\nstore_session_key = {enabled}");
    let Some(setup) = Setup::configured(backend, &toml).await else { return };
    let program = setup.program();
    assert_eq!(setup.log_in(json!({ "code": program.mint_code(7) })).await.status, 200);
    let user = entity::mini_program_user::Entity::find().one(setup.app.app.store.reader()).await;
    let user = user.unwrap().unwrap();
    assert_eq!(user.session_key.is_some(), enabled);
    assert!(!user.session_key.unwrap_or_default().contains(&program.session_key(7)));
}

/// T17 for logins: 504 at the deadline, and the exchange continues.
#[rstest]
#[tokio::test]
async fn a_slow_login_times_out_and_a_retry_gets_its_answer(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let toml = "[login]\ntimeout_seconds = 1";
    let Some(setup) = Setup::configured(backend, toml).await else { return };
    let stall = Fault::Stall(Duration::from_millis(2_500));
    setup.world.fail(Call::Jscode2session, 1, stall);
    let code = setup.program().mint_code(7);
    let began = Instant::now();
    let slow = setup.log_in(json!({ "code": code })).await;
    assert_eq!(status_and_code(&slow), (504, "wechat_too_slow".into()));
    assert!((900..1_500).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    // A caller who repeats too early waits for the same exchange.
    assert_eq!(setup.log_in(json!({ "code": code })).await.status, 504);
    let answer = setup.log_in(json!({ "code": code })).await;
    assert_eq!((answer.status, setup.exchanges()), (200, 1), "{answer:?}");
}

#[tokio::test]
async fn a_caller_that_disconnects_gets_the_login_on_a_retry() {
    let setup = Setup::on_sqlite().await;
    let stall = Fault::Stall(Duration::from_millis(400));
    setup.world.fail(Call::Jscode2session, 1, stall);
    let code = setup.program().mint_code(7);
    let hasty = setup.log_in(json!({ "code": code }));
    assert!(tokio::time::timeout(Duration::from_millis(100), hasty).await.is_err());
    let answer = setup.log_in(json!({ "code": code })).await;
    assert_eq!((answer.status, answer.json()["new_user"].clone()), (200, json!(true)));
    assert_eq!(setup.exchanges(), 1);
}

/// T17: two hundred slow logins with a pool of five connections do not slow down lookups.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_slow_logins_hold_no_database_connection(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let toml = "[login]\ntimeout_seconds = 2";
    let world = paged_world(100, 300).await;
    let Some(app) = TestApp::pooled(&world, backend, 5, toml).await else { return };
    app.sync_true(&world).await;
    world.fail(Call::Jscode2session, 1.., Fault::Stall(Duration::from_secs(30)));
    let service = Service::start(&app).await;
    let key = service.key(&[Scope::Login, Scope::Resolve]).await;
    let program = world.mini_program().unwrap();
    let logins = join_all((0..200).map(|person| {
        let body = json!({ "code": program.mint_code(person) });
        service.post("/v1/login", body).key(&key).send()
    }));
    let main = world.main();
    let resolving = async {
        let mut spent = Vec::new();
        tokio::time::sleep(Duration::from_millis(300)).await;
        for person in 0..100 {
            let path =
                format!("/v1/resolve-openid?unionid={}", main.person(person).unionid.unwrap());
            let began = Instant::now();
            assert_eq!(service.get(&path).key(&key).send().await.status, 200);
            spent.push(began.elapsed());
        }
        spent.sort_unstable();
        spent
    };
    let (answers, spent) = tokio::join!(logins, resolving);
    for answer in answers {
        assert_eq!(status_and_code(&answer), (504, "wechat_too_slow".into()));
    }
    // If logins held connections, this would take seconds. Other tests may cause some delay.
    assert!(spent[98] < Duration::from_millis(300), "{:?}", spent[98]);
}

/// The database fails after WeChat has answered: the code is not lost.
#[tokio::test]
async fn a_login_that_could_not_be_stored_is_stored_by_the_next_attempt() {
    let setup = Setup::on_sqlite().await;
    let code = setup.program().mint_code(7);
    // Another transaction writes for longer than the timeout.
    let busy = setup.app.app.store.begin().await.unwrap();
    let failed = setup.log_in(json!({ "code": code })).await;
    assert_eq!(status_and_code(&failed), (503, "database_unavailable".into()));
    assert_eq!(failed.header("retry-after"), "2");
    drop(busy);
    let answer = setup.log_in(json!({ "code": code })).await;
    assert_eq!((answer.status, answer.json()["new_user"].clone()), (200, json!(true)));
    assert_eq!(setup.exchanges(), 1);
}
