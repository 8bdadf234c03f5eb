//! Errors are RFC 9457 problems with the request id and without internal details.

use serde_json::{Value, json};
use unionid_bridge::http;
use unionid_bridge::model::Scope;
use unionid_bridge::sandbox::Sandbox;

use crate::harness::{Service, TestApp};

async fn service() -> Service {
    let world = Sandbox::with_followers(1).await.unwrap();
    Service::start(&TestApp::against(&world).await).await
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_get_problem_responses() {
    let service = service().await;
    for path in ["/nothing", "/v1", "/v1/nothing", "/%FF"] {
        let answer = service.get(path).send().await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{path}");
    }
    for method in ["POST", "DELETE", "PUT", "PATCH", "OPTIONS", "ODD"] {
        let answer = service.call(method, "/livez").send().await;
        assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"));
        assert_eq!(answer.header("allow"), "GET,HEAD", "{method}");
    }
    assert_eq!(service.post("/livez", json!({ "a": 1 })).send().await.code(), "method_not_allowed");
    let answer = service.delete("/nothing").body("no JSON at all").send().await;
    assert_eq!(answer.code(), "not_found");
}

#[tokio::test]
async fn head_is_answered_without_a_body() {
    let service = service().await;
    for (path, status) in [("/livez", 200), ("/nothing", 404), ("/metrics", 401)] {
        let answer = service.call("HEAD", path).send().await;
        assert_eq!((answer.status, answer.text.as_str()), (status, ""), "{path}");
        assert_eq!(answer.header("x-request-id").len(), 36);
    }
}

#[tokio::test]
async fn a_valid_request_id_is_kept_and_an_invalid_one_replaced() {
    let service = service().await;
    let answer = service.get("/nothing").header("x-request-id", "job-7.a_B").send().await;
    assert_eq!(answer.json()["request_id"], "job-7.a_B");
    assert_eq!(answer.header("x-request-id"), "job-7.a_B");
    for strange in ["a b", "\"", "<script>", &"x".repeat(65)] {
        let answer = service.get("/livez").header("x-request-id", strange).send().await;
        assert_eq!(answer.header("x-request-id").len(), 36, "{strange}");
    }
}

#[tokio::test]
async fn misspelt_and_duplicate_parameters_are_rejected_on_every_route() {
    let service = service().await;
    let key = service.key(&Scope::ALL).await;
    let document: Value = serde_json::from_str(&http::document()).unwrap();
    // WeChat may add parameters to its callbacks.
    let ours = |path: &&String| !path.starts_with("/v1/callbacks/");
    for path in document["paths"].as_object().unwrap().keys().filter(ours) {
        let operation = &document["paths"][path]["get"];
        let of_query = |parameter: &&Value| parameter["in"] == "query";
        let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        let filled = path.replace(['{', '}'], "");
        for parameter in parameters.iter().filter(of_query) {
            let name = parameter["name"].as_str().unwrap();
            for query in [format!("{name}x=1"), format!("{name}=1&{name}=1")] {
                let answer = service.get(&format!("{filled}?{query}")).key(&key).send().await;
                assert_eq!(answer.status, 400, "{path}?{query}: {answer:?}");
                answer.code();
            }
        }
    }
}

#[tokio::test]
async fn metrics_count_by_route_and_contain_no_identifiers() {
    let service = service().await;
    let key = service.key(&[Scope::Metrics]).await;
    service.get("/v1/canary-person?openid=canary-openid").key(&key).send().await;
    service.call("CANARYMETHOD", "/livez").send().await;
    service.get("/readyz").send().await;
    let text = service.get("/metrics").key(&key).send().await.text;
    for line in [
        r#"http_requests_total{route="unmatched",method="GET",status="404"}"#,
        r#"http_requests_total{route="/livez",method="other",status="405"}"#,
        r#"http_requests_total{route="/readyz",method="GET",status="200"}"#,
        r#"http_request_seconds_bucket{route="/readyz",method="GET",le="0.001"}"#,
        "http_connections ",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.to_lowercase().contains("canary") && !text.contains("ubk_"), "{text}");
}

#[tokio::test]
async fn readiness_fails_and_reports_the_unreachable_database() {
    let service = service().await;
    let well = service.get("/readyz?verbose").send().await.json();
    assert_eq!((&well["status"], well["checks"].as_array().unwrap().len()), (&"ok".into(), 3));
    assert!(service.get("/healthz").send().await.json().get("checks").is_none());
    service.app.store.clone().close().await.unwrap();
    let answer = service.get("/readyz").send().await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "not_ready"));
    assert_eq!(answer.header("retry-after"), "2");
    assert_eq!(answer.json()["checks"][1]["ok"], false);
    assert_eq!(service.get("/livez").send().await.status, 200);
}

#[tokio::test]
async fn the_openapi_document_matches_its_snapshot_and_is_served() {
    insta::assert_snapshot!("openapi", http::document());
    let service = service().await;
    let answer = service.get("/openapi.json").send().await;
    assert_eq!((answer.status, answer.text.as_str()), (200, http::document().as_str()));
    let page = service.get("/docs/").send().await;
    assert_eq!(page.status, 200);
    let settings = service.get("/docs/swagger-initializer.js").send().await.text;
    assert!(settings.contains("/openapi.json"), "{settings}");
    for text in [page.text, settings] {
        assert!(!text.contains("https://") && !text.contains("http://"), "{text}");
    }
}

#[test]
fn every_operation_id_is_unique() {
    let document: Value = serde_json::from_str(&http::document()).unwrap();
    let items = document["paths"].as_object().unwrap().values();
    let operations = items.flat_map(|item| item.as_object().unwrap().values());
    let mut names: Vec<_> =
        operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
    assert!(document["info"].get("contact").is_none());
}
