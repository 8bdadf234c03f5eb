//! T30: endless, compressed, or wrongly declared bodies, on every route that takes one.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures::future::join_all;
use unionid_bridge::sandbox::{Callback, Event, Options, Sandbox};

use crate::harness::{Bridge, ServeProcess, exchange, peak_memory_kib, send_endless, with_json};

/// All scopes, for the command line.
const ALL: &str = "login,resolve,erase,push,templates,token,sync,read,metrics";

/// A `serve` process, and the head of a request to each route that takes a body.
struct Target {
    _world: Sandbox,
    _bridge: Bridge,
    serving: ServeProcess,
    /// Heads of JSON requests, without the last line.
    json: Vec<String>,
    /// The head of a callback, without the last line.
    callback: String,
}

impl Target {
    async fn start() -> Self {
        let callback = |_: &str, _| Some(Callback::plain("http://127.0.0.1:9/", "plaintoken"));
        let options = Options::with_followers(10).callbacks(callback);
        let world = Sandbox::start(options).await.unwrap();
        let bridge = Bridge::against(&world, "[http]\ntoken_api = true");
        let key = bridge.key(ALL).await;
        let serving = ServeProcess::start(&bridge).await;
        let json = |method: &str, path: &str| {
            format!(
                "{method} {path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {key}\r\n\
                 Content-Type: application/json\r\n"
            )
        };
        let operations = with_json();
        let json = operations.iter().map(|it| json(&it.method, &it.path("wx0a00000000000001")));
        let query = world.main().envelope(Event::unsubscribe(3)).unwrap().query;
        let callback = callback_head(world.main().appid(), &query);
        Self { json: json.collect(), callback, _world: world, _bridge: bridge, serving }
    }

    fn address(&self) -> SocketAddr {
        self.serving.address
    }

    /// Returns all heads.
    fn heads(&self) -> impl Iterator<Item = &String> + Clone {
        self.json.iter().chain([&self.callback])
    }

    fn peak_memory_kib(&self) -> u64 {
        peak_memory_kib(self.serving.child.id().unwrap())
    }
}

fn callback_head(appid: &str, query: &str) -> String {
    format!(
        "POST /v1/callbacks/{appid}?{query} HTTP/1.1\r\nHost: here\r\nContent-Type: text/xml\r\n"
    )
}

/// Returns `megabytes` MiB of spaces, compressed by `gzip`.
fn bomb(megabytes: usize) -> Vec<u8> {
    let mut gzip = Command::new("gzip");
    let mut gzip = gzip.arg("-9").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = gzip.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        let megabyte = vec![b' '; 1 << 20];
        (0..megabytes).for_each(|_| stdin.write_all(&megabyte).unwrap());
    });
    let packed = gzip.wait_with_output().unwrap().stdout;
    writer.join().unwrap();
    packed
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or("gone")
}

#[tokio::test]
async fn a_compressed_body_is_rejected_without_decompressing_it() {
    let target = Target::start().await;
    // Within the body limit of a login, but far beyond every limit once unpacked.
    let (small, large) = (bomb(10), bomb(64));
    assert!(small.len() < 16 * 1024 && large.len() > 16 * 1024, "{}", small.len());
    let before = target.peak_memory_kib();
    for head in target.heads() {
        for coding in ["gzip", "br", "deflate", "gzip, gzip", "identity, gzip"] {
            for bomb in [&small, &large] {
                let length = bomb.len();
                let head = format!(
                    "{head}Connection: close\r\nContent-Encoding: {coding}\r\n\
                     Content-Length: {length}\r\n\r\n"
                );
                let request = [head.as_bytes(), bomb].concat();
                let answer = exchange(target.address(), &request).await;
                assert_eq!(status(&answer), "413", "{head}: {answer:.300}");
                assert!(answer.contains("body_compressed"), "{answer:.600}");
            }
        }
    }
    let grown = target.peak_memory_kib() - before;
    assert!(grown < 24 * 1024, "memory grew by {grown} KiB");
}

#[tokio::test]
async fn a_body_with_a_wrong_or_ambiguous_length_is_rejected() {
    let target = Target::start().await;
    let address = target.address();
    for head in target.heads() {
        // The declared length is too large: refused at once.
        let began = Instant::now();
        let huge = format!("{head}Content-Length: 99999999999\r\n\r\n{{");
        let answer = exchange(address, huge.as_bytes()).await;
        assert_eq!(status(&answer), "413", "{answer:.200}");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        // The declared length is too small: the rest is an invalid second request.
        let short = format!("{head}Content-Length: 2\r\n\r\n[]SMUGGLED\r\n\r\n");
        let answer = exchange(address, short.as_bytes()).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 2, "{answer:.400}");
        assert_eq!(answer.matches("HTTP/1.1 400 ").count(), 2, "{answer:.400}");
        // Ambiguous lengths are refused, because a proxy may read them differently.
        for lengths in [
            "Content-Length: 2\r\nContent-Length: 3\r\n",
            "Content-Length: -1\r\n",
            "Content-Length: 2x\r\n",
            "Transfer-Encoding: gzip, chunked, identity\r\n",
        ] {
            let request = format!("{head}{lengths}\r\n[]");
            let answer = exchange(address, request.as_bytes()).await;
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
                "{lengths}: {answer:.200}"
            );
        }
    }
}

#[tokio::test]
async fn endless_bodies_are_rejected_and_use_no_memory() {
    let target = Target::start().await;
    let address = target.address();
    // The first request of each kind allocates caches.
    join_all(target.heads().map(|head| send_endless(address, head))).await;
    let before = target.peak_memory_kib();
    for _ in 0..5 {
        let tries = target.heads().cycle().take(20).map(|head| send_endless(address, head));
        for (sent, answer) in join_all(tries).await {
            assert!(sent < 16 << 20, "{sent} bytes were accepted");
            assert!(answer.is_empty() || answer.contains("body_too_large"), "{answer}");
        }
    }
    let (sent, answer) = send_endless(address, &target.callback).await;
    assert!(sent < 16 << 20 && (answer.is_empty() || status(&answer) == "413"), "{answer}");
    let grown = target.peak_memory_kib() - before;
    assert!(grown < 24 * 1024, "memory grew by {grown} KiB");
}

#[tokio::test]
async fn the_body_of_an_unsigned_callback_is_not_read() {
    let target = Target::start().await;
    let head = callback_head("wx0a00000000000001", "signature=0&timestamp=1&nonce=2");
    let before = target.peak_memory_kib();
    for _ in 0..20 {
        let (sent, answer) = send_endless(target.address(), &head).await;
        assert!(sent < 16 << 20, "{sent} bytes were accepted");
        assert!(answer.is_empty() || answer.contains("callback_forged"), "{answer}");
    }
    let huge = format!("{head}Content-Length: 99999999999\r\n\r\n<xml>");
    let answer = exchange(target.address(), huge.as_bytes()).await;
    assert_eq!(status(&answer), "403", "{answer:.200}");
    let packed = format!("{head}Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x0b");
    let answer = exchange(target.address(), packed.as_bytes()).await;
    assert_eq!(status(&answer), "403", "{answer:.200}");
    let grown = target.peak_memory_kib() - before;
    assert!(grown < 24 * 1024, "memory grew by {grown} KiB");
}
