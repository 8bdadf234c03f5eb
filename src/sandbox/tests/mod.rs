//! Tests of the sandbox over HTTP, with requests written by hand.

mod faults;
mod legacy;
mod logins;
mod messages;
mod newtmpl;
mod pushes;
mod receipts;
mod receiver;
mod subscribe;
mod templates;
mod tokens;
mod users;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Account, Options, Sandbox};

/// A response.
struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Response {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Sends one request on a new connection and reads until the sandbox closes it.
async fn send(sandbox: &Sandbox, head: &str, body: &str) -> std::io::Result<Response> {
    let mut stream = TcpStream::connect(sandbox.address()).await?;
    let length = body.len();
    let request = format!("{head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let Some(end) = end else {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok(Response { status, head, body: bytes[end + 4..].to_vec() })
}

async fn get(sandbox: &Sandbox, path: &str) -> Value {
    send(sandbox, &format!("GET {path} HTTP/1.1\r\nhost: x"), "").await.unwrap().json()
}

async fn post(sandbox: &Sandbox, path: &str, body: &Value) -> Value {
    let head = format!("POST {path} HTTP/1.1\r\nhost: x");
    send(sandbox, &head, &body.to_string()).await.unwrap().json()
}

async fn stable_token(sandbox: &Sandbox, account: &Account) -> String {
    let body = serde_json::json!({
        "grant_type": "client_credential", "appid": account.appid(), "secret": account.secret(),
    });
    let answer = post(sandbox, "/cgi-bin/stable_token", &body).await;
    answer["access_token"].as_str().unwrap().to_owned()
}

/// Starts a sandbox with small pages. Returns it with a token of its main account.
async fn small_world(followers: u64) -> (Sandbox, String) {
    let options = Options { page_size: 100, ..Options::with_followers(followers) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let token = stable_token(&sandbox, &sandbox.main()).await;
    (sandbox, token)
}

async fn batch(sandbox: &Sandbox, token: &str, openids: &[String]) -> Value {
    let users: Vec<_> = openids.iter().map(|id| serde_json::json!({"openid": id})).collect();
    let path = format!("/cgi-bin/user/info/batchget?access_token={token}");
    post(sandbox, &path, &serde_json::json!({"user_list": users})).await
}

async fn page(sandbox: &Sandbox, token: &str, next: &str) -> Value {
    get(sandbox, &format!("/cgi-bin/user/get?access_token={token}&next_openid={next}")).await
}

fn openids(sandbox: &Sandbox, people: std::ops::Range<u64>) -> Vec<String> {
    people.map(|person| sandbox.main().person(person).openid).collect()
}
