//! T30, T33, T34: bodies without end, JSON made to hurt, and strange values in every parameter.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use unionid_bridge::model::Scope;
use unionid_bridge::sandbox::Sandbox;

use crate::harness::{Bridge, Operation, Service, Serving, TestApp, Watch, exchanged, operations};

/// Every scope, on the command line.
const ALL: &str = "login,resolve,erase,push,templates,token,sync,read,metrics";

async fn service() -> (Service, String) {
    let world = Sandbox::with_followers(1).await.unwrap();
    let toml = "[http]\ntoken_api = true";
    let app = TestApp::configured(&world, crate::harness::Backend::Sqlite, toml).await.unwrap();
    let service = Service::start(&app).await;
    let key = service.key(&Scope::ALL).await;
    (service, key)
}

/// The operations with a body of JSON.
fn with_json() -> Vec<Operation> {
    let found: Vec<_> = operations().into_iter().filter(Operation::takes_json).collect();
    assert!(found.len() >= 4, "{found:?}");
    found
}

#[tokio::test]
async fn json_made_to_hurt_is_refused_on_every_route_that_takes_json() {
    let (service, key) = service().await;
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
            let call = service.call(&operation.method, &operation.path("wx0a00000000000001"));
            let call = call.key(&key).header("content-type", "application/json");
            let answer = call.body(text.to_owned()).send().await;
            let place = format!("{} {} {text:.40}", operation.method, operation.template);
            assert!([400, 413].contains(&answer.status), "{place}: {answer:?}");
            assert!(["invalid_json", "invalid_body", "body_too_large"].contains(&&*answer.code()));
            assert!(answer.text.len() < 2_000, "{place}");
        }
    }
    assert_eq!(service.get("/livez").send().await.status, 200);
}

#[tokio::test]
async fn strange_values_in_any_parameter_are_refused_by_their_type() {
    let watch = Watch::begin();
    let (service, key) = service().await;
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
                // WeChat's own parameters are told by the signature; `?verbose` may be empty.
                let may_be = is_callback || (value.is_empty() && path.ends_with("verbose="));
                let refused = if may_be { 200..=415 } else { 400..=404 };
                assert!(refused.contains(&answer.status), "{path:.80}: {answer:?}");
                assert!(answer.text.len() < 2_000, "{path:.80}");
            }
        }
    }
    assert!(!watch.logged("refused a statement") && !watch.logged("failed"));
}

#[tokio::test]
async fn a_megabyte_where_a_word_should_be_is_refused_before_it_is_looked_at() {
    let (service, key) = service().await;
    let megabyte = "f".repeat(1_000_000);
    for path in [
        format!("/v1/followers?cursor={megabyte}"),
        format!("/v1/resolve-openid?unionid={megabyte}"),
        format!("/v1/identities/{megabyte}"),
        format!("/v1/{megabyte}"),
    ] {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {key}\r\n\r\n");
        let answer = exchanged(service.address, request.as_bytes()).await;
        let status = answer.get(9..12).unwrap_or("gone");
        assert!(["414", "431", "gone"].contains(&status), "{answer:.200}");
    }
    assert_eq!(service.get("/livez").send().await.status, 200);
}

#[tokio::test]
async fn compressed_and_wrongly_declared_bodies_are_refused() {
    let (service, key) = service().await;
    // Ten megabytes of zeros, as gzip says it.
    let bomb = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff".repeat(100);
    for operation in with_json() {
        for coding in ["gzip", "br", "deflate", "gzip, gzip"] {
            let call = service.call(&operation.method, &operation.path("wx0a00000000000001"));
            let call = call.key(&key).header("content-type", "application/json");
            let answer = call.header("content-encoding", coding).body(bomb.clone()).send().await;
            let refused = (answer.status, answer.code());
            assert_eq!(refused, (415, "body_compressed".into()), "{}", operation.template);
        }
        let head = format!(
            "{} {} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\n",
            operation.method,
            operation.path("wx0a00000000000001"),
        );
        // Far more than is sent: refused at once.
        let began = Instant::now();
        let huge = format!("{head}Content-Length: 99999999999\r\n\r\n{{");
        let answer = exchanged(service.address, huge.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer:.200}");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        // Less than is sent: what follows is a request of its own, and none.
        let short = format!("{head}Content-Length: 2\r\n\r\n[]SMUGGLED\r\n\r\n");
        let answer = exchanged(service.address, short.as_bytes()).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 2, "{answer:.400}");
        assert_eq!(answer.matches("HTTP/1.1 400 ").count(), 2, "{answer:.400}");
        // Two lengths, or a length beside chunks: nobody may read it another way than we do.
        for lengths in [
            "Content-Length: 2\r\nContent-Length: 3\r\n",
            "Content-Length: -1\r\n",
            "Content-Length: 2x\r\n",
            "Transfer-Encoding: gzip, chunked, identity\r\n",
        ] {
            let request = format!("{head}{lengths}\r\n[]");
            let answer = exchanged(service.address, request.as_bytes()).await;
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
                "{lengths}: {answer:.200}"
            );
        }
    }
}

/// Sends chunks until the other side has had enough; how many bytes that were, and what it said.
async fn endless(address: SocketAddr, head: &str) -> (usize, String) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let head = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
    let writer = tokio::spawn(async move {
        let chunk = [&b"1000\r\n"[..], &[b' '; 0x1000], b"\r\n"].concat();
        let (mut sent, mut ours) = (0, writing.write_all(head.as_bytes()).await);
        while ours.is_ok() && sent < 64 << 20 {
            ours = writing.write_all(&chunk).await;
            sent += 0x1000;
        }
        sent
    });
    let mut answer = Vec::new();
    let _ = reading.read_to_end(&mut answer).await;
    (writer.await.unwrap(), String::from_utf8_lossy(&answer).into_owned())
}

/// The most memory that a process has had, in KiB.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn bodies_without_end_are_refused_and_take_no_memory() {
    let world = Sandbox::with_followers(1).await.unwrap();
    let bridge = Bridge::against(&world, "[http]\ntoken_api = true");
    let key = bridge.key(ALL).await;
    let Serving { mut child, address, .. } = Serving::start(&bridge).await;
    let heads: Vec<_> = with_json()
        .iter()
        .map(|operation| {
            format!(
                "{} {} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {key}\r\n\
                 Content-Type: application/json\r\n",
                operation.method,
                operation.path("wx0a00000000000001"),
            )
        })
        .collect();
    // The first of each kind makes what is kept.
    join_all(heads.iter().map(|head| endless(address, head))).await;
    let before = peak(child.id().unwrap());
    for _ in 0..5 {
        let tries = heads.iter().cycle().take(20).map(|head| endless(address, head));
        for (sent, answer) in join_all(tries).await {
            assert!(sent < 16 << 20, "{sent} bytes were taken");
            assert!(answer.is_empty() || answer.contains("body_too_large"), "{answer}");
        }
    }
    let grown = peak(child.id().unwrap()) - before;
    assert!(grown < 24 * 1024, "it grew by {grown} KiB");
    child.start_kill().unwrap();
    child.wait().await.unwrap();
}
