//! Requests by the byte: halves of them, slow ones, and ones that no client library sends.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, ToSocketAddrs};

/// A connection over which this much of a request was sent.
pub async fn begun(address: impl ToSocketAddrs, sent: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    stream
}

/// Everything that comes until the other side closes, however it does.
pub async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// What comes back for these bytes, until the other side closes.
pub async fn exchanged(address: impl ToSocketAddrs, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(sent).await;
    rest(stream).await
}

/// Sends a byte now and then until the other side closes; how long that took, and what it said.
pub async fn trickled(stream: TcpStream, pause: Duration) -> (Duration, String) {
    let began = Instant::now();
    let (mut reading, mut writing) = stream.into_split();
    let writer = tokio::spawn(async move {
        while writing.write_all(b"x").await.is_ok() {
            tokio::time::sleep(pause).await;
        }
    });
    let mut answer = Vec::new();
    let _ = reading.read_to_end(&mut answer).await;
    writer.abort();
    (began.elapsed(), String::from_utf8_lossy(&answer).into_owned())
}

/// Sends chunks until the other side has had enough; how many bytes that were, and what it said.
pub async fn endless(address: impl ToSocketAddrs, head: &str) -> (usize, String) {
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
