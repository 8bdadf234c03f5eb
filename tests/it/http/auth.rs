//! Authentication on every route of the document: keys, scopes, and limits.

use std::time::{Duration, Instant};

use rstest::rstest;
use sea_orm::sea_query::Expr;
use sea_orm::{EntityTrait, QueryOrder};
use unionid_bridge::keys::NewKey;
use unionid_bridge::model::Scope;
use unionid_bridge::sandbox::Sandbox;

use crate::harness::{Backend, Operation, Service, TestApp, operations, status_and_code};

async fn service() -> Service {
    let world = Sandbox::with_followers(1).await.unwrap();
    Service::start(&TestApp::against(&world).await).await
}

/// Returns the operations that need a key, with their scopes.
fn guarded() -> Vec<(Operation, Scope)> {
    let guarded = operations().into_iter().filter_map(|operation| {
        let scope = operation.scope?;
        Some((operation, scope))
    });
    guarded.collect()
}

#[tokio::test]
async fn every_scoped_route_rejects_keys_without_its_scope() {
    let service = service().await;
    let mut seen = Vec::new();
    for (operation, scope) in guarded() {
        let (method, path) = (&operation.method, operation.path("1"));
        let others: Vec<_> = Scope::ALL.into_iter().filter(|other| *other != scope).collect();
        let key = service.key(&others).await;
        let others = service.call(method, &path).key(&key).send().await;
        assert_eq!(status_and_code(&others), (403, "scope_missing".into()), "{method} {path}");
        assert!(others.json()["hint"].as_str().unwrap().contains(scope.as_str()));
        let key = service.key(&[scope]).await;
        let right = service.call(method, &path).key(&key).send().await;
        assert!(![401, 403].contains(&right.status), "{method} {path}: {right:?}");
        assert!(operation.may_answer(403), "{method} {path}");
        seen.push(scope);
    }
    for scope in Scope::ALL {
        assert!(seen.contains(&scope), "{scope}");
    }
}

#[tokio::test]
async fn every_scoped_route_rejects_missing_and_invalid_keys() {
    let service = service().await;
    let (gone, old) = (service.key(&Scope::ALL).await, expired(&service, &Scope::ALL).await);
    service.app.keys.revoke(id(&gone), "test").await.unwrap();
    for (operation, _) in guarded() {
        let (method, path) = (&operation.method, operation.path("1"));
        let bare = service.call(method, &path).send().await;
        assert_eq!(status_and_code(&bare), (401, "key_missing".into()), "{method} {path}");
        assert_eq!(bare.header("www-authenticate"), "Bearer");
        for (key, code) in
            [("garbage", "key_malformed"), (&gone, "key_revoked"), (&old, "key_expired")]
        {
            let answer = service.call(method, &path).key(key).send().await;
            assert_eq!(status_and_code(&answer), (401, code.into()), "{method} {path}");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
        assert!(operation.may_answer(401), "{method} {path}");
    }
}

/// Creates a key that has expired.
async fn expired(service: &Service, scopes: &[Scope]) -> String {
    let life = Some(Duration::from_millis(1));
    let new = NewKey { scopes: scopes.to_vec(), life, ..NewKey::default() };
    let key = service.key_of(new).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    key
}

#[tokio::test]
async fn malformed_unknown_revoked_and_expired_keys_differ_only_by_code() {
    let service = service().await;
    let (good, gone, old) = (
        service.key(&[Scope::Metrics]).await,
        service.key(&[Scope::Metrics]).await,
        expired(&service, &[Scope::Metrics]).await,
    );
    service.app.keys.revoke(id(&gone), "test").await.unwrap();
    let typo =
        format!("{}{}", &good[..good.len() - 1], if good.ends_with('7') { 'x' } else { '7' });
    let elsewhere = self::service().await.key(&[Scope::Metrics]).await;
    // The public part of a revoked key without its secret reveals nothing.
    let spliced = format!("ubk_{}_{}", id(&gone), good.rsplit('_').next().unwrap());
    let mut details = Vec::new();
    for (key, code) in [
        ("garbage", "key_malformed"),
        (&typo, "key_malformed"),
        (&spliced, "key_malformed"),
        (&elsewhere, "key_unknown"),
        (&gone, "key_revoked"),
        (&old, "key_expired"),
    ] {
        let answer = service.get("/metrics").key(key).send().await;
        assert_eq!(status_and_code(&answer), (401, code.into()));
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        details.push(answer.json()["detail"].clone());
    }
    details.dedup();
    assert_eq!(details.len(), 1, "{details:?}");
    assert_eq!(service.get("/metrics").key(&good).send().await.status, 200);
}

/// Returns the public part of a key.
fn id(key: &str) -> &str {
    key.split('_').nth(1).unwrap()
}

#[tokio::test]
async fn a_key_in_the_query_is_rejected_even_with_a_valid_header() {
    let service = service().await;
    let key = service.key(&[Scope::Metrics]).await;
    for query in [format!("x={key}"), format!("access_token={key}"), "key=1".to_owned()] {
        let answer = service.get(&format!("/metrics?{query}")).key(&key).send().await;
        assert_eq!(status_and_code(&answer), (400, "key_in_query".into()), "{query}");
        assert!(!answer.text.contains(&key));
    }
}

#[tokio::test]
async fn a_keys_rate_limit_does_not_affect_other_keys() {
    let service = service().await;
    let limited =
        NewKey { scopes: vec![Scope::Metrics], requests_per_second: Some(2), ..NewKey::default() };
    let (limited, other) = (service.key_of(limited).await, service.key(&[Scope::Metrics]).await);
    let mut statuses = Vec::new();
    for _ in 0..10 {
        let answer = service.get("/metrics").key(&limited).send().await;
        if answer.status == 429 {
            assert_eq!(status_and_code(&answer), (429, "rate_limited".into()));
            assert_eq!(answer.header("retry-after"), "1");
        }
        statuses.push(answer.status);
        assert_eq!(service.get("/metrics").key(&other).send().await.status, 200);
    }
    assert_eq!(statuses[..2], [200, 200]);
    assert!(statuses.iter().filter(|status| **status == 429).count() >= 5, "{statuses:?}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(service.get("/metrics").key(&limited).send().await.status, 200);
}

#[rstest]
#[tokio::test]
async fn a_key_change_in_another_process_applies_within_five_seconds(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(1).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let service = Service::start(&app).await;
    let elsewhere = Service::start(&app.replica(&world).await).await;
    let key = elsewhere.key(&[Scope::Metrics]).await;
    let status = async || service.get("/metrics").key(&key).send().await.status;
    within_five_seconds(async || status().await == 200).await;
    elsewhere.app.keys.revoke(id(&key), "test").await.unwrap();
    assert_eq!(elsewhere.get("/metrics").key(&key).send().await.status, 401);
    within_five_seconds(async || status().await == 401).await;
}

async fn within_five_seconds(holds: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn requests_are_rejected_once_the_cached_keys_have_expired() {
    let service = service().await;
    let key = service.key(&[Scope::Metrics]).await;
    service.app.store.clone().close().await.unwrap();
    // Loaded keys are cached for a while, which may be over already on a busy machine.
    assert!([200, 503].contains(&service.get("/metrics").key(&key).send().await.status));
    tokio::time::sleep(Duration::from_millis(5_100)).await;
    let answer = service.get("/metrics").key(&key).send().await;
    assert_eq!(status_and_code(&answer), (503, "database_unavailable".into()));
    assert_eq!(answer.header("retry-after"), "2");
}

#[rstest]
#[tokio::test]
async fn both_keys_are_valid_during_the_overlap_of_a_roll(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(1).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let service = Service::start(&app).await;
    let keys = &app.app.keys;
    let old = service.key(&[Scope::Metrics]).await;
    let rolled = keys.roll(id(&old), Duration::from_millis(1_500), "test").await.unwrap();
    let new = secrecy::ExposeSecret::expose_secret(&rolled.new.text).to_owned();
    let status = async |key: &str| service.get("/metrics").key(key).send().await.status;
    assert_eq!((status(&old).await, status(&new).await), (200, 200));
    tokio::time::sleep(Duration::from_millis(1_600)).await;
    assert_eq!((status(&old).await, status(&new).await), (401, 200));
    assert!(keys.roll(id(&old), Duration::ZERO, "test").await.is_err());

    let listed = keys.list().await.unwrap();
    let mut ids: Vec<_> = listed.iter().map(|key| key.id.as_str()).collect();
    ids.sort_unstable();
    let mut both = [id(&old), id(&new)];
    both.sort_unstable();
    assert_eq!(ids, both);
    assert_eq!(trail(&app).await, ["key.created", "key.rolled", "key.created"]);
}

/// Returns the actions of the audit trail, oldest first.
async fn trail(app: &TestApp) -> Vec<String> {
    use entity::audit::{Column, Entity};
    let lines = Entity::find().order_by_asc(Column::Id).all(app.app.store.reader()).await.unwrap();
    assert!(lines.iter().all(|line| line.actor == "test" && line.at > 0 && line.subject.is_some()));
    lines.into_iter().map(|line| line.action).collect()
}

#[rstest]
#[tokio::test]
async fn the_last_use_is_stored_soon_but_not_for_every_request(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(1).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let service = Service::start(&app).await;
    let key = service.key(&[Scope::Metrics]).await;
    let used = async || app.app.keys.list().await.unwrap()[0].last_used_at;
    assert_eq!(used().await, None);
    service.get("/metrics").key(&key).send().await;
    within_five_seconds(async || used().await.is_some()).await;
    // As if the last use was long ago: the next update is written after a minute.
    entity::api_key::Entity::update_many()
        .col_expr(entity::api_key::Column::LastUsedAt, Expr::value(1_000_i64))
        .exec(app.app.store.writer())
        .await
        .unwrap();
    service.get("/metrics").key(&key).send().await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(used().await.unwrap().timestamp(), 1);
    // The pending update is written at shutdown.
    service.stop().await;
    assert!(used().await.unwrap().timestamp() > 1);
}
