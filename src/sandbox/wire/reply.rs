//! A response before it is sent, intact or damaged by a fault.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

const HTML: &str = "text/html";

/// The delay before a reset, so that the client sees the bytes sent before it.
const RESET_DELAY: Duration = Duration::from_millis(20);

/// How the body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SendMode {
    Whole,
    OneByteChunks,
    /// Sends half of the body, then resets the connection.
    Cut,
    /// Sends half of the body, and the rest after this pause.
    Pause(Duration),
}

/// A response before it is sent.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    content_type: &'static str,
    body: Bytes,
    mode: SendMode,
}

impl Reply {
    /// Creates a response with status 200.
    pub(crate) fn new(content_type: &'static str, body: Vec<u8>) -> Self {
        let (status, body) = (StatusCode::OK, Bytes::from(body));
        Self { status, content_type, body, mode: SendMode::Whole }
    }

    /// Creates a JSON response for a control route. Unlike API calls, control routes use HTTP status codes.
    pub(crate) fn control(status: StatusCode, body: &serde_json::Value) -> Self {
        let body = Bytes::from(format!("{body}\n"));
        Self { status, content_type: "application/json", body, mode: SendMode::Whole }
    }

    /// Creates the HTML page that a proxy in front of WeChat would send.
    pub(crate) fn html(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        let page = format!(
            "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1>\
             </center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
        );
        Self { status, content_type: HTML, body: page.into(), mode: SendMode::Whole }
    }

    pub(crate) fn empty(self) -> Self {
        Self { body: Bytes::new(), ..self }
    }

    pub(crate) fn truncated(self) -> Self {
        let half = self.body.slice(..self.body.len() / 2);
        Self { body: half, ..self }
    }

    pub(crate) fn in_one_byte_chunks(self) -> Self {
        Self { mode: SendMode::OneByteChunks, ..self }
    }

    pub(crate) fn cut(self) -> Self {
        Self { mode: SendMode::Cut, ..self }
    }

    pub(crate) fn with_pause(self, pause: Duration) -> Self {
        Self { mode: SendMode::Pause(pause), ..self }
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let length = self.body.len();
        let (first, second) = (self.body.slice(..length / 2), self.body.slice(length / 2..));
        let body = match self.mode {
            SendMode::Whole => Body::from(self.body),
            SendMode::OneByteChunks => Body::from_stream(single_bytes(self.body)),
            SendMode::Cut => Body::from_stream(halves(first, RESET_DELAY, Err(reset()))),
            SendMode::Pause(pause) => Body::from_stream(halves(first, pause, Ok(second))),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if self.mode != SendMode::OneByteChunks {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        response
    }
}

fn reset() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "a fault rule cut this response")
}

type Half = Result<Bytes, io::Error>;

fn halves(first: Bytes, pause: Duration, second: Half) -> impl Stream<Item = Half> {
    let later = stream::once(async move {
        tokio::time::sleep(pause).await;
        second
    });
    stream::iter([Ok(first)]).chain(later)
}

fn single_bytes(body: Bytes) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::iter((0..body.len()).map(move |index| Ok(body.slice(index..=index))))
}
