//! `keys` and `openapi` on the command line.

use rstest::rstest;
use sea_orm::EntityTrait;
use serde_json::Value;
use unionid_bridge::sandbox::Sandbox;

use crate::harness::{Backend, Bridge, TestDatabase, stderr};

async fn bridge() -> Bridge {
    let world = Sandbox::with_followers(1).await.unwrap();
    Bridge::against(&world, "")
}

/// Configures the command for a new database, which the caller must keep.
async fn on(backend: Backend) -> Option<(Bridge, TestDatabase)> {
    let world = Sandbox::with_followers(1).await.unwrap();
    let database = TestDatabase::new(backend).await?;
    Some((Bridge::on(&world, &database.url, ""), database))
}

async fn create(bridge: &Bridge, more: &[&str]) -> Value {
    let base = ["keys", "create", "--name", "shop backend", "--scope", "login,resolve"];
    bridge.json(&[&base, more].concat()).await
}

#[rstest]
#[tokio::test]
async fn a_key_is_shown_once_and_stored_as_a_digest(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some((bridge, _database)) = on(backend).await else { return };
    let made = create(&bridge, &[]).await;
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert!(key.starts_with(&format!("ubk_{id}_")) && made["name"] == "shop backend");
    assert_eq!(made["scopes"], serde_json::json!(["login", "resolve"]));
    let list = bridge.run(&["keys", "list"]).await;
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(list.contains(id) && list.contains("login,resolve"), "{list}");
    let secret = key.rsplit('_').next().unwrap();
    assert!(!list.contains(secret));
    let listed = bridge.json(&["keys", "list"]).await;
    assert_eq!((&listed[0]["id"], listed[0].get("key")), (&made["id"], None));
    let store = bridge.store().await;
    let rows = entity::api_key::Entity::find().all(store.reader()).await.unwrap();
    let rows = format!("{rows:?}");
    assert!(rows.contains(id) && !rows.contains(secret), "{rows}");
}

#[tokio::test]
async fn keys_create_prints_only_the_key_on_stdout() {
    let bridge = bridge().await;
    let output = bridge.run(&["keys", "create", "--name", "n", "--scope", "read"]).await;
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(text.trim().starts_with("ubk_") && text.lines().count() == 1, "{text}");
    assert!(stderr(&output).contains("not shown again") && !stderr(&output).contains(text.trim()));
}

#[rstest]
#[tokio::test]
async fn a_key_has_the_requested_accounts_limit_and_expiry(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some((bridge, _database)) = on(backend).await else { return };
    let more = ["--app", "main", "--limit", "50", "--expires-in-days", "7"];
    let made = create(&bridge, &more).await;
    assert_eq!(made["appids"], serde_json::json!(["wx0a00000000000001"]));
    let listed = &bridge.json(&["keys", "list"]).await[0];
    let at = |member: &str| -> chrono::DateTime<chrono::Utc> {
        listed[member].as_str().unwrap().parse().unwrap()
    };
    assert_eq!((at("expires_at") - at("created_at")).num_days(), 7);
    assert_eq!(listed["requests_per_second"], 50);
}

#[rstest]
#[tokio::test]
async fn a_key_is_revoked_and_rolled_by_its_id(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some((bridge, _database)) = on(backend).await else { return };
    let (one, two) = (create(&bridge, &[]).await, create(&bridge, &[]).await);
    let (one, two) = (one["id"].as_str().unwrap(), two["id"].as_str().unwrap());
    let revoked = bridge.json(&["keys", "revoke", one]).await;
    assert!(revoked["revoked_at"].is_string());
    assert_eq!(bridge.json(&["keys", "revoke", one]).await["revoked_at"], revoked["revoked_at"]);
    let rolled = bridge.json(&["keys", "roll", two, "--overlap-hours", "1"]).await;
    assert_eq!(rolled["scopes"], serde_json::json!(["login", "resolve"]));
    let listed = bridge.json(&["keys", "list"]).await;
    let old = listed.as_array().unwrap().iter().find(|key| key["id"] == two).unwrap();
    assert!(old["expires_at"].is_string() && rolled["expires_at"].is_null());
    for arguments in [&["keys", "revoke", "nobody"][..], &["keys", "roll", one]] {
        let output = bridge.run(arguments).await;
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("hint: "), "{}", stderr(&output));
    }
}

#[tokio::test]
async fn invalid_key_options_are_rejected_and_create_no_key() {
    let bridge = bridge().await;
    for arguments in [
        &["keys", "create", "--name", "n"][..],
        &["keys", "create", "--name", "n", "--scope", "admin"],
        &["keys", "create", "--name", "n", "--scope", "read", "--limit", "0"],
        &["keys", "create", "--name", "n", "--scope", "read", "--expires-in-days", "0"],
        &["keys", "roll", "x", "--overlap-hours", "-1"],
    ] {
        let output = bridge.run(arguments).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    }
    let nameless = bridge.run(&["keys", "create", "--name", " ", "--scope", "read"]).await;
    assert_eq!(nameless.status.code(), Some(1));
    assert!(stderr(&nameless).contains("name"));
    assert_eq!(bridge.json(&["keys", "list"]).await, Value::Array(Vec::new()));
}

#[tokio::test]
async fn the_openapi_document_is_printed_without_a_configuration() {
    let bridge = bridge().await;
    std::fs::remove_file(bridge.folder().join("unionid-bridge.toml")).unwrap();
    let output = bridge.run(&["openapi"]).await;
    assert_eq!(output.status.code(), Some(0));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
}
