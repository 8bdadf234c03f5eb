//! Raw TCP requests: partial, slow, endless, or malformed ones that no client library sends.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, ToSocketAddrs};

/// Opens a connection and sends a part of a request.
pub async fn send_partial(address: impl ToSocketAddrs, sent: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    stream
}

/// Returns everything received until the server closes or resets the connection.
pub async fn read_to_end(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends raw bytes and returns everything received until the server closes the connection.
pub async fn exchange(address: impl ToSocketAddrs, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(sent).await;
    read_to_end(stream).await
}

/// Sends a byte after each `pause` until the server closes. Returns how long that took, and the answer.
pub async fn trickle(stream: TcpStream, pause: Duration) -> (Duration, String) {
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

/// Sends chunks (up to 64 MiB) until the server closes. Returns the number of bytes sent, and the answer.
pub async fn send_endless(address: impl ToSocketAddrs, head: &str) -> (usize, String) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let head = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
    let writer = tokio::spawn(async move {
        let chunk = [&b"1000\r\n"[..], &[b' '; 0x1000], b"\r\n"].concat();
        let (mut sent, mut result) = (0, writing.write_all(head.as_bytes()).await);
        while result.is_ok() && sent < 64 << 20 {
            result = writing.write_all(&chunk).await;
            sent += 0x1000;
        }
        sent
    });
    let mut answer = Vec::new();
    let _ = reading.read_to_end(&mut answer).await;
    (writer.await.unwrap(), String::from_utf8_lossy(&answer).into_owned())
}
