//! T31: clients that send slowly or never read do not affect other clients.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use unionid_bridge::model::Scope;
use unionid_bridge::sandbox::Sandbox;

use crate::harness::{Service, TestApp, read_to_end, send_partial, trickle};

/// The number of bad clients of each kind. The benchmark has ten times as many.
const HOSTILE: usize = 200;

async fn service() -> Service {
    let world = Sandbox::with_followers(1).await.unwrap();
    Service::start(&TestApp::against(&world).await).await
}

#[tokio::test]
async fn slow_heads_and_bodies_time_out_while_other_clients_are_served() {
    let service = service().await;
    let key = service.key(&[Scope::Login, Scope::Resolve]).await;
    let head = "GET /livez HTTP/1.1\r\nHost: here\r\nX-Slow: ";
    let body = format!(
        "POST /v1/login HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: 10000\r\n\r\n{{"
    );
    let heads = join_all((0..HOSTILE).map(|_| send_partial(service.address, head))).await;
    let bodies = join_all((0..HOSTILE).map(|_| send_partial(service.address, &body))).await;
    let pause = Duration::from_secs(1);
    let heads = heads.into_iter().map(|stream| tokio::spawn(trickle(stream, pause)));
    let bodies = bodies.into_iter().map(|stream| tokio::spawn(trickle(stream, pause)));
    let (heads, bodies) =
        (join_all(heads.collect::<Vec<_>>()), join_all(bodies.collect::<Vec<_>>()));

    let meanwhile = async {
        let (began, mut slowest) = (Instant::now(), Duration::ZERO);
        while began.elapsed() < Duration::from_secs(8) {
            let sent_at = Instant::now();
            let path = "/v1/resolve-openid?unionid=nobody";
            let answer = service.get(path).key(&key).send().await;
            assert_eq!((answer.status, answer.code().as_str()), (404, "user_unknown"));
            slowest = slowest.max(sent_at.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        slowest
    };
    let (heads, bodies, slowest) = tokio::join!(heads, bodies, meanwhile);
    // Far more than a request takes, and far less than waiting for the slow clients would take.
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    for ended in heads {
        let (took, answer) = ended.unwrap();
        assert!(took < Duration::from_millis(10_900), "{took:?} {answer}");
    }
    for ended in bodies {
        let (took, answer) = ended.unwrap();
        assert!(took < Duration::from_secs(15), "{took:?}");
        assert!(answer.is_empty() || answer.contains("body_too_slow"), "{answer}");
    }
}

/// Opens a connection with a small receive buffer.
async fn narrow(service: &Service) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(service.address).await.unwrap()
}

#[tokio::test]
async fn a_client_that_never_reads_its_answers_is_disconnected() {
    let service = service().await;
    let mut stream = narrow(&service).await;
    let request = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: here\r\n\r\n";
    // More than the kernel buffers.
    for _ in 0..20 {
        stream.write_all(request.as_bytes()).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(12)).await;
    // Only the answers in flight can be read before the connection ends.
    let read = read_to_end(stream).await.len();
    let page = service.get("/docs/swagger-ui-bundle.js").send().await.text.len();
    assert!(read < 20 * page, "{read} of {page} each");
}
