//! T31: clients that are slow to send or never read, beside whom others are served as ever.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use unionid_bridge::model::Scope;
use unionid_bridge::sandbox::Sandbox;

use crate::harness::{Service, TestApp, begun, rest, trickled};

/// Clients of each kind; the benchmark has ten times as many.
const HOSTILE: usize = 200;

async fn service() -> Service {
    let world = Sandbox::with_followers(1).await.unwrap();
    Service::start(&TestApp::against(&world).await).await
}

#[tokio::test]
async fn slow_heads_and_slow_bodies_are_given_up_while_others_are_served() {
    let service = service().await;
    let key = service.key(&[Scope::Login, Scope::Resolve]).await;
    let head = "GET /livez HTTP/1.1\r\nHost: here\r\nX-Slow: ";
    let body = format!(
        "POST /v1/login HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: 10000\r\n\r\n{{"
    );
    let heads = join_all((0..HOSTILE).map(|_| begun(service.address, head))).await;
    let bodies = join_all((0..HOSTILE).map(|_| begun(service.address, &body))).await;
    let pause = Duration::from_secs(1);
    let heads = heads.into_iter().map(|stream| tokio::spawn(trickled(stream, pause)));
    let bodies = bodies.into_iter().map(|stream| tokio::spawn(trickled(stream, pause)));
    let (heads, bodies) =
        (join_all(heads.collect::<Vec<_>>()), join_all(bodies.collect::<Vec<_>>()));

    let meanwhile = async {
        let (began, mut slowest) = (Instant::now(), Duration::ZERO);
        while began.elapsed() < Duration::from_secs(8) {
            let asked = Instant::now();
            let path = "/v1/resolve-openid?unionid=nobody";
            let answer = service.get(path).key(&key).send().await;
            assert_eq!((answer.status, answer.code().as_str()), (404, "user_unknown"));
            slowest = slowest.max(asked.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        slowest
    };
    let (heads, bodies, slowest) = tokio::join!(heads, bodies, meanwhile);
    // Far above what it takes, and far below what waiting for the others would be.
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    for ended in heads {
        let (took, said) = ended.unwrap();
        assert!(took < Duration::from_millis(10_900), "{took:?} {said}");
    }
    for ended in bodies {
        let (took, said) = ended.unwrap();
        assert!(took < Duration::from_secs(15), "{took:?}");
        assert!(said.is_empty() || said.contains("body_too_slow"), "{said}");
    }
}

/// A connection that takes little before it is read from.
async fn narrow(service: &Service) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(service.address).await.unwrap()
}

#[tokio::test]
async fn a_client_that_asks_and_never_reads_is_given_up() {
    let service = service().await;
    let mut stream = narrow(&service).await;
    let request = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: here\r\n\r\n";
    // More than the kernel takes off our hands.
    for _ in 0..20 {
        stream.write_all(request.as_bytes()).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(12)).await;
    // Read at last, there is what was on its way, and then the end.
    let read = rest(stream).await.len();
    let page = service.get("/docs/swagger-ui-bundle.js").send().await.text.len();
    assert!(read < 20 * page, "{read} of {page} each");
}
