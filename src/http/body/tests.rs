use std::collections::HashMap;

use futures::stream;
use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only parsing is tested")]
struct TestRequest {
    name: String,
    count: Option<f64>,
    many: Option<Vec<Inner>>,
    any: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only parsing is tested")]
struct Inner {
    id: u32,
}

async fn send(headers: &[(&str, &str)], body: impl Into<Body>) -> Result<TestRequest, Problem> {
    let mut request = Request::post("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body.into()).unwrap();
    let read = <Json<TestRequest> as FromRequest<()>>::from_request(request, &()).await;
    read.map(|Json::<TestRequest>(request)| request)
}

async fn json(text: impl Into<Body>) -> Result<TestRequest, Problem> {
    send(&[("content-type", "application/json; charset=utf-8")], text).await
}

async fn code(text: impl Into<Body>) -> &'static str {
    json(text).await.unwrap_err().code()
}

#[tokio::test]
async fn invalid_json_is_rejected_with_a_matching_error_code() {
    assert_eq!(json(r#"{"name": "a", "many": [{"id": 1}]}"#).await.unwrap().name, "a");
    let deep = format!(r#"{{"name": "a", "any": {}"#, "[".repeat(8_000));
    for (text, expected) in [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("{}", "invalid_body"),
        ("[]", "invalid_body"),
        (r#" ["a", null, null, null]"#, "invalid_body"),
        (r#"{"name": "a", "name": "b"}"#, "invalid_body"),
        (r#"{"name": "a", "nmae": "b"}"#, "invalid_body"),
        (r#"{"name": "a", "count": 1e999}"#, "invalid_json"),
        (r#"{"name": "\ud800"}"#, "invalid_json"),
        (r#"{"name": "a"} {}"#, "invalid_json"),
        (&deep, "invalid_json"),
    ] {
        assert_eq!(code(text.to_owned()).await, expected, "{text:.60}");
    }
    assert_eq!(code(&b"{\"name\": \"\xff\"}"[..]).await, "invalid_json");
}

#[tokio::test]
async fn a_body_error_names_the_path_of_the_invalid_value() {
    let refused = json(r#"{"name": "a", "many": [{"id": 1}, {"id": "x"}]}"#).await.unwrap_err();
    assert!(refused.cause().starts_with("at `many[1].id`: "), "{}", refused.cause());
    let refused = json(r#"{"name": "a", "many": "canary, expected"}"#).await.unwrap_err();
    assert!(refused.cause().starts_with("at `many`: invalid type: string, expected a sequence"));
    let refused = json(r#"{"name": "a", "nmae": "b"}"#).await.unwrap_err();
    assert!(refused.cause().contains("`nmae`"), "{}", refused.cause());
}

#[tokio::test]
async fn only_uncompressed_json_is_accepted() {
    let text = r#"{"name": "a"}"#;
    for kind in ["application/json", "Application/JSON", "application/merge-patch+json"] {
        assert!(send(&[("content-type", kind)], text).await.is_ok(), "{kind}");
    }
    for kind in ["text/json", "application/x-www-form-urlencoded", "json", ""] {
        let refused = send(&[("content-type", kind)], text).await.unwrap_err();
        assert_eq!(refused.code(), "not_json", "{kind}");
    }
    for coding in ["gzip", "br", "identity, gzip", ""] {
        let packed = [("content-type", "application/json"), ("content-encoding", coding)];
        assert_eq!(send(&packed, text).await.unwrap_err().code(), "body_compressed");
    }
    let plain = [("content-type", "application/json"), ("content-encoding", "identity")];
    assert!(send(&plain, text).await.is_ok());
}

#[tokio::test]
async fn an_optional_body_may_be_absent_but_must_be_valid() {
    let read = async |kind: Option<&str>, text: &str| {
        let request = kind
            .into_iter()
            .fold(Request::post("/"), |request, kind| request.header("content-type", kind));
        let request = request.body(Body::from(text.to_owned())).unwrap();
        let read = <Option<Json<TestRequest>>>::from_request(request, &()).await;
        read.map(|body| body.is_some()).map_err(|problem| problem.code())
    };
    let form = "application/x-www-form-urlencoded";
    for kind in [None, Some("application/json"), Some(form)] {
        assert_eq!(read(kind, "").await, Ok(false), "{kind:?}");
    }
    assert_eq!(read(Some("application/json"), " null").await, Ok(false));
    assert_eq!(read(Some("application/json"), r#"{"name": "a"}"#).await, Ok(true));
    assert_eq!(read(Some("application/json"), "{}").await, Err("invalid_body"));
    assert_eq!(read(None, r#"{"name": "a"}"#).await, Err("not_json"));
    assert_eq!(read(Some(form), "a=b").await, Err("not_json"));
}

#[tokio::test]
async fn an_oversized_body_is_rejected_regardless_of_its_declared_length() {
    assert_eq!(code(vec![b' '; SMALL + 1]).await, "body_too_large");
    let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(b"    ")));
    assert_eq!(code(Body::from_stream(endless)).await, "body_too_large");
    let declared = [("content-type", "application/json"), ("content-length", "999999999")];
    let silent = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    assert_eq!(send(&declared, silent).await.unwrap_err().code(), "body_too_large");
    let million: HashMap<_, _> = (0..1_000_000).map(|key| (key, 0)).collect();
    assert_eq!(code(serde_json::to_vec(&million).unwrap()).await, "body_too_large");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_arrives_too_slowly_is_rejected() {
    let drops = stream::unfold((), async |()| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
    });
    assert_eq!(code(Body::from_stream(Box::pin(drops))).await, "body_too_slow");
}
