//! An HTTP server on loopback that records pushes and answers with predefined responses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aes::Aes256;
use cbc::Decryptor;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::sandbox::Callback;
use crate::sandbox::cipher::{aes_key, signature};

/// How a request is answered.
#[derive(Clone, Copy)]
pub(super) enum Reaction {
    Answer(u16, &'static str),
    /// Answers with the `echostr` of the query, followed by this text.
    Echo(&'static str),
    /// Never answers.
    Stall,
}

/// A received request.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) line: String,
    pub(super) head: String,
    pub(super) query: HashMap<String, String>,
    pub(super) body: String,
}

impl Received {
    /// Checks both signatures and decrypts the message.
    pub(super) fn decrypt(&self, callback: &Callback, appid: &str, encrypted: &str) -> String {
        let [timestamp, nonce] = ["timestamp", "nonce"].map(|name| self.query[name].as_str());
        let token = callback.token.as_str();
        assert_eq!(self.query["signature"], signature([token, timestamp, nonce]));
        let signed = signature([token, timestamp, nonce, encrypted]);
        assert_eq!(self.query["msg_signature"], signed);
        assert_eq!(self.query["encrypt_type"], "aes");
        open(callback.encoding_aes_key.as_deref().unwrap(), appid, encrypted)
    }
}

fn open(encoding_aes_key: &str, appid: &str, encrypted: &str) -> String {
    use base64::Engine;
    let key = aes_key(encoding_aes_key).unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(encrypted).unwrap();
    assert_eq!(bytes.len() % 32, 0, "WeChat pads to 32 bytes");
    let cipher = Decryptor::<Aes256>::new_from_slices(&key, &key[..16]).unwrap();
    let plain = cipher.decrypt_padded_vec::<NoPadding>(&bytes).unwrap();
    let end = plain.len() - usize::from(*plain.last().unwrap());
    let length = u32::from_be_bytes(plain[16..20].try_into().unwrap()) as usize;
    let (message, tail) = plain[20..end].split_at(length);
    assert_eq!(tail, appid.as_bytes());
    String::from_utf8(message.to_vec()).unwrap()
}

pub(super) struct Receiver {
    pub(super) url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    /// Starts a receiver that answers with each of these in turn, and then always with the last one.
    pub(super) async fn answering(reactions: &[Reaction]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/callbacks/{{appid}}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let (log, reactions) = (received.clone(), reactions.to_vec());
        tokio::spawn(async move {
            let mut waiting = Vec::new();
            for nth in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read(&mut stream).await;
                let reaction = reactions[nth.min(reactions.len() - 1)];
                log.lock().unwrap().push(request.clone());
                let (status, body) = match reaction {
                    Reaction::Answer(status, body) => (status, body.to_owned()),
                    Reaction::Echo(tail) => (200, format!("{}{tail}", request.query["echostr"])),
                    Reaction::Stall => {
                        waiting.push(stream);
                        continue;
                    }
                };
                let length = body.len();
                let answer =
                    format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { url, received }
    }

    /// Starts a receiver that accepts every push.
    pub(super) async fn accepting() -> Self {
        Self::answering(&[Reaction::Answer(200, "success")]).await
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Returns the only request.
    pub(super) fn only(&self) -> Received {
        let received = self.received();
        assert_eq!(received.len(), 1);
        received[0].clone()
    }
}

async fn read(stream: &mut TcpStream) -> Received {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4_096]);
    loop {
        let count = stream.read(&mut chunk).await.unwrap();
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            let line = head.lines().next().unwrap().to_owned();
            let query = line.split(['?', ' ']).nth(2).unwrap().split('&');
            let query = query.map(|pair| pair.split_once('=').unwrap());
            let query = query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            return Received { line, head: head.to_owned(), query, body: body.to_owned() };
        }
    }
}
