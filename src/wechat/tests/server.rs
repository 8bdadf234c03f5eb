//! A server that sends prepared replies in order, byte for byte.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the server sends on one connection.
#[derive(Clone)]
pub(super) enum Reply {
    /// These bytes, then end of stream.
    Bytes(Vec<u8>),
    /// These bytes one by one, then end of stream.
    Slowly(Vec<u8>),
    /// These bytes, then a reset.
    Reset(Vec<u8>),
    /// Nothing, for a second.
    Silence,
}

pub(super) struct Server {
    pub(super) base_url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Each connection gets the next reply. The last reply repeats.
    pub(super) async fn answering(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let received = Arc::clone(&requests);
        let mut replies: VecDeque<Reply> = replies.into_iter().collect();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let reply = match replies.len() {
                    1 => replies[0].clone(),
                    _ => replies.pop_front().unwrap(),
                };
                let received = Arc::clone(&received);
                tokio::spawn(async move {
                    let request = read_request(&mut stream).await;
                    received.lock().unwrap().push(request);
                    write_reply(stream, reply).await;
                });
            }
        });
        Self { base_url, requests }
    }

    /// The requests received so far, with heads and bodies.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// An answer with status 200, this body, and the Content-Type of WeChat's `/sns/` calls.
pub(super) fn json(body: impl AsRef<[u8]>) -> Reply {
    Reply::Bytes(ok("text/plain", body.as_ref()))
}

/// An answer with this status and no body.
pub(super) fn status(status: &str) -> Reply {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    Reply::Bytes(head.into_bytes())
}

pub(super) fn ok(content_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Reads a request: the head, and a body of its content-length.
pub(super) async fn read_request(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut request = Vec::new();
    while !is_complete(&request) {
        match stream.read_buf(&mut request).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    String::from_utf8_lossy(&request).into_owned()
}

fn is_complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

async fn write_reply(mut stream: TcpStream, reply: Reply) {
    match reply {
        Reply::Bytes(bytes) => stream.write_all(&bytes).await.unwrap_or_default(),
        Reply::Slowly(bytes) => {
            stream.set_nodelay(true).unwrap();
            for byte in bytes {
                stream.write_all(&[byte]).await.unwrap_or_default();
                tokio::task::yield_now().await;
            }
        }
        Reply::Reset(bytes) => {
            stream.write_all(&bytes).await.unwrap_or_default();
            stream.set_zero_linger().unwrap();
        }
        Reply::Silence => tokio::time::sleep(Duration::from_secs(1)).await,
    }
}
