//! T33, T34: hostile JSON, and strange values in every parameter and every string of a body.

use rstest::rstest;
use serde_json::{Value, json};
use unionid_bridge::model::Scope;
use unionid_bridge::sandbox::Sandbox;

use crate::harness::{Backend, Service, Telemetry, TestApp, exchange, operations, with_json};

async fn service(backend: Backend) -> Option<(Sandbox, Service, String)> {
    let world = Sandbox::with_followers(1).await.unwrap();
    let app = TestApp::configured(&world, backend, "[http]\ntoken_api = true").await?;
    let service = Service::start(&app).await;
    let key = service.key(&Scope::ALL).await;
    Some((world, service, key))
}

#[tokio::test]
async fn malicious_json_is_rejected_on_every_route_that_takes_json() {
    let (_world, service, key) = service(Backend::Sqlite).await.unwrap();
    let deep = format!("{{\"users\": {}", "[".repeat(100_000));
    let shallow = format!("{{\"a\": {}{}}}", "[".repeat(200), "]".repeat(200));
    let members: Vec<_> = (0..1_000_000).map(|member| format!("\"k{member}\":0")).collect();
    let million = format!("{{{}}}", members.join(","));
    let texts = [
        deep.as_str(),
        &shallow,
        &million,
        "{\"code\": 1e999}",
        "{\"users\": [1e999]}",
        "{\"appid\": \"\\ud800\"}",
        "{\"stale\": \"\\udfff\\ud800\"}",
        "{\"appid\": \"wx1\", \"appid\": \"wx2\"}",
        "{\"code\": \"a\", \"code\": \"b\"}",
        "{\"users\": [], \"users\": []}",
        "{\"stale\": \"a\", \"stale\": \"b\"}",
        "{\"__proto__\": {}}",
        "\u{feff}{}",
        "[]",
        "null",
        "{}{}",
        "",
    ];
    for operation in with_json() {
        for text in texts {
            let may_be_left_out = operation.document["requestBody"]["required"] != true;
            if may_be_left_out && ["", "null"].contains(&text) {
                continue;
            }
            let call = service.call(&operation.method, &operation.path("wx0a00000000000001"));
            let call = call.key(&key).header("content-type", "application/json");
            let answer = call.body(text.to_owned()).send().await;
            let what = format!("{} {} {text:.40}", operation.method, operation.template);
            assert!([400, 413].contains(&answer.status), "{what}: {answer:?}");
            assert!(["invalid_json", "invalid_body", "body_too_large"].contains(&&*answer.code()));
            assert!(answer.text.len() < 2_000, "{what}");
        }
    }
    assert_eq!(service.get("/livez").send().await.status, 200);
}

#[rstest]
#[tokio::test]
async fn malformed_values_of_any_parameter_are_rejected(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let telemetry = Telemetry::capture();
    let Some((_world, service, key)) = service(backend).await else { return };
    let long = "x".repeat(10_000);
    let strange = ["%00", "%25", "%", "%E2%80%AEx", "'%20OR%201=1--", "a%0Ab", "%FF", "", &long];
    for operation in operations() {
        let is_callback = operation.template.starts_with("/v1/callbacks/");
        for value in strange {
            let mut paths = Vec::new();
            if !operation.parameters("path").is_empty() && !value.is_empty() {
                paths.push(operation.path(value));
            }
            let filled = operation.path("wx0a00000000000001");
            for name in operation.parameters("query") {
                paths.push(format!("{filled}?{name}={value}"));
            }
            for path in paths {
                let answer = service.call(&operation.method, &path).key(&key).send().await;
                // Callbacks are rejected by their signature; `?verbose` may be empty.
                let may_be = is_callback || (value.is_empty() && path.ends_with("verbose="));
                let expected = if may_be { 200..=415 } else { 400..=404 };
                assert!(expected.contains(&answer.status), "{path:.80}: {answer:?}");
                assert!(answer.text.len() < 2_000, "{path:.80}");
            }
        }
    }
    assert!(!telemetry.logged("refused a statement") && !telemetry.logged("failed"));
}

/// Finds every string in the JSON. Adds its JSON pointer to `found`.
fn texts(value: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(pointer.to_owned()),
        Value::Object(members) => {
            members.iter().for_each(|(name, it)| texts(it, &format!("{pointer}/{name}"), found));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(at, it)| texts(it, &format!("{pointer}/{at}"), found));
        }
        _ => {}
    }
}

/// A body for each route that takes JSON, with every possible string member.
fn bodies() -> Vec<(&'static str, &'static str, Value)> {
    let user = json!({ "appid": "wx3b00000000000001", "openid": "oA" });
    let subscribe = json!({
        "appid": "wx3b00000000000001", "template_id": "t", "data": { "thing1": "x" }, "page": "p",
        "miniprogram_state": "formal", "lang": "zh_CN",
    });
    let message = json!({
        "official_account": "wx0a00000000000001", "template_id": "t",
        "data": { "thing1": { "value": "x", "color": "red" }, "thing2": "x" },
        "url": "https://example.com/",
        "miniprogram": { "appid": "wx3b00000000000001", "pagepath": "p" },
        "fallback": { "subscribe": subscribe },
    });
    let (mut single, mut batch) = (message.clone(), message);
    single["to"] = user.clone();
    batch["targets"] = json!([{ "to": { "unionid": "oU" }, "data": { "thing1": "x" } }]);
    vec![
        (
            "POST",
            "/v1/login",
            json!({
                "code": "c", "appid": "wx3b00000000000001", "encrypted_data": "x", "iv": "x",
            }),
        ),
        (
            "POST",
            "/v1/resolve-openid",
            json!({
                "to": "wx0a00000000000001", "users": [user, { "unionid": "oU" }],
            }),
        ),
        ("POST", "/v1/messages", single),
        ("POST", "/v1/messages", json!({ "to": { "unionid": "oU" }, "subscribe": subscribe })),
        ("POST", "/v1/messages/batch", batch),
        (
            "POST",
            "/v1/official-accounts/wx0a00000000000001/templates",
            json!({
                "template_id_short": "43216", "keyword_name_list": ["x"],
            }),
        ),
        (
            "PUT",
            "/v1/official-accounts/wx0a00000000000001/industry",
            json!({
                "industry_id1": "1", "industry_id2": "2",
            }),
        ),
        (
            "POST",
            "/v1/mini-programs/wx3b00000000000001/templates",
            json!({
                "tid": "2001", "keyword_ids": [1, 2], "scene": "x",
            }),
        ),
        ("POST", "/v1/access-tokens/wx0a00000000000001/refresh", json!({ "stale": "x" })),
        ("POST", "/v1/sync-runs", json!({ "appid": "wx0a00000000000001" })),
    ]
}

#[rstest]
#[tokio::test]
async fn a_nul_in_any_text_of_a_body_is_rejected(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let telemetry = Telemetry::capture();
    let Some((_world, service, key)) = service(backend).await else { return };
    let bodies = bodies();
    for operation in with_json() {
        let is_tried = |(method, path, _): &(&str, &str, Value)| {
            operation.method == *method && operation.is_at(path)
        };
        assert!(bodies.iter().any(is_tried), "no body is tried at {}", operation.template);
    }
    for (method, path, body) in bodies {
        let mut pointers = Vec::new();
        texts(&body, "", &mut pointers);
        assert!(!pointers.is_empty());
        for pointer in pointers {
            for strange in ["a\0b", "\0"] {
                let mut body = body.clone();
                *body.pointer_mut(&pointer).unwrap() = json!(strange);
                let answer = service.call(method, path).json(body).key(&key).send().await;
                assert_eq!(answer.status, 400, "{path} {pointer}: {answer:?}");
            }
        }
    }
    assert!(!telemetry.logged("refused a statement") && !telemetry.logged("failed"));
}

#[tokio::test]
async fn a_megabyte_in_the_request_line_is_rejected() {
    let (_world, service, key) = service(Backend::Sqlite).await.unwrap();
    let megabyte = "f".repeat(1_000_000);
    for path in [
        format!("/v1/followers?cursor={megabyte}"),
        format!("/v1/resolve-openid?unionid={megabyte}"),
        format!("/v1/identities/{megabyte}"),
        format!("/v1/{megabyte}"),
    ] {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {key}\r\n\r\n");
        let answer = exchange(service.address, request.as_bytes()).await;
        let status = answer.get(9..12).unwrap_or("gone");
        assert!(["414", "431", "gone"].contains(&status), "{answer:.200}");
    }
    assert_eq!(service.get("/livez").send().await.status, 200);
}
