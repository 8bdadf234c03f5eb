//! Callbacks over HTTP, as WeChat sends them.

use std::time::{Duration, Instant};

use rstest::rstest;
use sea_orm::ConnectionTrait;
use unionid_bridge::sandbox::{
    Account, Callback, CallbackMode, Event, Options, PushState, Sandbox,
};

use crate::harness::{Answer, Backend, Service, TestApp, calling_back};

/// Starts a service and directs the sandbox's callbacks to it.
async fn start_service(world: &Sandbox, app: &TestApp) -> Service {
    let service = Service::start(app).await;
    let url = format!("http://{}/v1/callbacks/{{appid}}", service.address);
    world.set_callback_url(&url).unwrap();
    service
}

async fn post(service: &Service, account: &Account, query: &str, body: Vec<u8>) -> Answer {
    let path = format!("/v1/callbacks/{}?{query}", account.appid());
    service.call("POST", &path).header("content-type", "text/xml").body(body).send().await
}

#[rstest]
#[tokio::test]
async fn an_event_is_accepted_at_the_first_push_and_updates_the_mirror(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    let _service = start_service(&world, &app).await;
    world.push_follows(true);
    world.main().leave([3]);
    world.settled().await;
    app.assert_mirrors(&world).await;
    let [push] = world.pushes().try_into().unwrap();
    assert_eq!((push.state, push.attempts.len()), (PushState::Accepted, 1));
}

#[tokio::test]
async fn wechats_url_check_is_answered() {
    let world = calling_back(10).await;
    let app = TestApp::against(&world).await;
    let service = start_service(&world, &app).await;
    assert!(world.main().check_callback().await.unwrap());
    assert!(world.mini_program().unwrap().check_callback().await.unwrap());
    let query = world.main().check_query("<script>").unwrap();
    let path = format!("/v1/callbacks/{}?{query}", world.main().appid());
    let answer = service.get(&path).send().await;
    assert_eq!(answer.text, "<script>");
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}

#[rstest]
#[tokio::test]
async fn every_callback_mode_is_accepted(
    #[values(CallbackMode::Plain, CallbackMode::Compatible, CallbackMode::Safe)] mode: CallbackMode,
) {
    let options = Options::with_followers(10).callbacks(|appid, _| {
        let made = Callback::made("http://127.0.0.1:9/", 1, appid);
        let key = made.encoding_aes_key.clone().filter(|_| mode != CallbackMode::Plain);
        Some(Callback { mode, encoding_aes_key: key, ..made })
    });
    let world = Sandbox::start(options).await.unwrap();
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    let _service = start_service(&world, &app).await;
    world.main().leave([3]);
    let push = world.main().deliver(Event::unsubscribe(3)).await.unwrap();
    assert_eq!(push.state, PushState::Accepted, "{push:?}");
    app.assert_mirrors(&world).await;
}

#[tokio::test]
async fn a_callback_without_a_valid_signature_is_rejected() {
    let world = calling_back(10).await;
    let app = TestApp::against(&world).await;
    let service = start_service(&world, &app).await;
    let main = world.main();
    let envelope = main.envelope(Event::unsubscribe(3)).unwrap();
    let signature =
        envelope.query.split('&').find(|part| part.starts_with("msg_signature=")).unwrap();
    for query in [
        String::new(),
        envelope.query.replace(signature, "msg_signature=0000"),
        envelope.query.replace(signature, ""),
        envelope.query.replace("msg_signature=", "msg_signature[]="),
        format!("{}&{signature}", envelope.query),
        envelope.query.replace("encrypt_type=aes", "encrypt_type=raw"),
    ] {
        let refused = post(&service, &main, &query, envelope.body.clone()).await;
        assert_eq!((refused.status, refused.code()), (403, "callback_forged".into()), "{query}");
    }
    let program = world.mini_program().unwrap();
    let refused = post(&service, &program, &envelope.query, envelope.body.clone()).await;
    assert_eq!(refused.code(), "callback_forged");
    let path = format!("/v1/callbacks/wx9999999999999999?{}", envelope.query);
    assert_eq!(service.call("POST", &path).send().await.code(), "callback_unknown");
    assert_eq!(service.get(&path).send().await.code(), "callback_unknown");
}

#[tokio::test]
async fn a_plain_callback_is_rejected_if_safe_mode_is_configured() {
    let world = calling_back(10).await;
    let app = TestApp::against(&world).await;
    let service = start_service(&world, &app).await;
    let mut plain = world.main().callback().unwrap();
    (plain.mode, plain.encoding_aes_key) = (CallbackMode::Plain, None);
    world.main().set_callback(Some(plain)).unwrap();
    let envelope = world.main().envelope(Event::unsubscribe(3)).unwrap();
    let refused = post(&service, &world.main(), &envelope.query, envelope.body).await;
    assert_eq!((refused.status, refused.code()), (403, "callback_forged".into()));
}

/// A service in plain mode, in which the signature does not cover the body.
async fn plain() -> (Sandbox, TestApp, Service) {
    let options = Options::with_followers(10)
        .callbacks(|_, _| Some(Callback::plain("http://127.0.0.1:9/", "plaintoken")));
    let world = Sandbox::start(options).await.unwrap();
    let app = TestApp::against(&world).await;
    let service = start_service(&world, &app).await;
    (world, app, service)
}

#[tokio::test]
async fn a_malicious_body_is_rejected_and_its_entities_are_not_fetched() {
    let (world, _app, service) = plain().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let deep = format!("{}{}", "<a>".repeat(9_000), "</a>".repeat(9_000));
    let xxe = format!(
        "<!DOCTYPE x [<!ENTITY e SYSTEM \"http://127.0.0.1:{port}/\">]><xml><ToUserName>&e;</ToUserName></xml>"
    );
    let bomb =
        "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><xml>&b;</xml>";
    let twice = "<xml><FromUserName>oA</FromUserName><FromUserName>oB</FromUserName></xml>";
    let gbk = b"<xml><Content>\xc4\xe3\xba\xc3</Content></xml>";
    let query = world.main().envelope(Event::unsubscribe(3)).unwrap().query;
    for body in [
        deep.into_bytes(),
        xxe.into_bytes(),
        bomb.into(),
        twice.into(),
        gbk.to_vec(),
        b"<!DOCTYPE xml><xml></xml>".to_vec(),
        b"".to_vec(),
        b"{".to_vec(),
    ] {
        let shown = String::from_utf8_lossy(&body).chars().take(60).collect::<String>();
        let refused = post(&service, &world.main(), &query, body).await;
        assert_eq!((refused.status, refused.code()), (400, "callback_malformed".into()), "{shown}");
    }
    let fetched = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
    assert!(fetched.is_err(), "the entity was fetched");
}

/// T29: a body of any depth is refused quickly, also on a busy machine.
#[tokio::test]
async fn a_deeply_nested_body_is_rejected_within_10_ms() {
    let (world, _app, service) = plain().await;
    let query = world.main().envelope(Event::unsubscribe(3)).unwrap().query;
    let xml = |levels: usize| "<a>".repeat(levels).into_bytes();
    let json = |levels: usize| [&b"{\"a\":"[..], &b"[".repeat(levels)].concat();
    let closed = |levels: usize| {
        format!("<xml>{}{}</xml>", "<a>".repeat(levels), "</a>".repeat(levels)).into_bytes()
    };
    // As deep as fits into 64 KiB, and deeper.
    for (body, expected) in [
        (xml(21_000), (400, "callback_malformed")),
        (json(65_000), (400, "callback_malformed")),
        (closed(9_000), (400, "callback_malformed")),
        (xml(200_000), (413, "body_too_large")),
        (json(200_000), (413, "body_too_large")),
        (closed(200_000), (413, "body_too_large")),
    ] {
        // The best of many measurements, because other tests run on this machine.
        let mut best = Duration::MAX;
        for _ in 0..20 {
            let began = Instant::now();
            let refused = post(&service, &world.main(), &query, body.clone()).await;
            best = best.min(began.elapsed());
            assert_eq!((refused.status, refused.code()), (expected.0, expected.1.into()));
        }
        assert!(best < Duration::from_millis(10), "{expected:?} took {best:?}");
    }
}

#[tokio::test]
async fn a_body_over_64_kib_is_refused() {
    let (world, _app, service) = plain().await;
    let query = world.main().envelope(Event::unsubscribe(3)).unwrap().query;
    let refused = post(&service, &world.main(), &query, vec![b' '; 64 * 1024 + 1]).await;
    assert_eq!((refused.status, refused.code()), (413, "body_too_large".into()));
}

/// While the database is blocked, a callback soon gets 503 instead of `success`, and WeChat's next attempt
/// is accepted.
#[rstest]
#[tokio::test]
async fn success_is_not_answered_before_the_commit(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    let service = start_service(&world, &app).await;
    world.main().leave([3]);
    let envelope = world.main().envelope(Event::unsubscribe(3)).unwrap();

    let held = app.app.store.begin().await.unwrap();
    held.execute_unprepared("UPDATE follower SET remark = 'held'").await.unwrap();
    let began = Instant::now();
    let refused = post(&service, &world.main(), &envelope.query, envelope.body.clone()).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "2"), "{refused:?}");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    drop(held);

    let taken = post(&service, &world.main(), &envelope.query, envelope.body).await;
    assert_eq!((taken.status, taken.text.as_str()), (200, "success"));
    app.assert_mirrors(&world).await;
}
