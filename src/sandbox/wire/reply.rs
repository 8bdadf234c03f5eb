//! An answer on its way out, whole or spoilt.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

const HTML: &str = "text/html";

/// What a reset waits for, so that the bytes before it are seen.
const FLUSH: Duration = Duration::from_millis(20);

/// How the body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Whole,
    OneByteChunks,
    /// Half of it, then an error.
    Cut,
    /// Half of it, and the rest that much later.
    Pause(Duration),
}

/// An answer before it is sent.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    content_type: &'static str,
    body: Bytes,
    manner: Manner,
}

impl Reply {
    /// A body with status 200.
    pub(crate) fn new(content_type: &'static str, body: Vec<u8>) -> Self {
        let (status, body) = (StatusCode::OK, Bytes::from(body));
        Self { status, content_type, body, manner: Manner::Whole }
    }

    /// JSON for the control routes, where a status means what it says.
    pub(crate) fn control(status: StatusCode, body: &serde_json::Value) -> Self {
        let body = Bytes::from(format!("{body}\n"));
        Self { status, content_type: "application/json", body, manner: Manner::Whole }
    }

    /// The page that a proxy in front of the vendor would send.
    pub(crate) fn html(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        let page = format!(
            "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1>\
             </center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
        );
        Self { status, content_type: HTML, body: page.into(), manner: Manner::Whole }
    }

    pub(crate) fn empty(self) -> Self {
        Self { body: Bytes::new(), ..self }
    }

    pub(crate) fn truncated(self) -> Self {
        let half = self.body.slice(..self.body.len() / 2);
        Self { body: half, ..self }
    }

    pub(crate) fn in_one_byte_chunks(self) -> Self {
        Self { manner: Manner::OneByteChunks, ..self }
    }

    pub(crate) fn cut(self) -> Self {
        Self { manner: Manner::Cut, ..self }
    }

    pub(crate) fn pausing(self, pause: Duration) -> Self {
        Self { manner: Manner::Pause(pause), ..self }
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let length = self.body.len();
        let (first, second) = (self.body.slice(..length / 2), self.body.slice(length / 2..));
        let body = match self.manner {
            Manner::Whole => Body::from(self.body),
            Manner::OneByteChunks => Body::from_stream(bytes_of(self.body)),
            Manner::Cut => Body::from_stream(halves(first, FLUSH, Err(cut()))),
            Manner::Pause(pause) => Body::from_stream(halves(first, pause, Ok(second))),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if self.manner != Manner::OneByteChunks {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        response
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the plan of faults cuts this answer")
}

type Half = Result<Bytes, io::Error>;

fn halves(first: Bytes, pause: Duration, second: Half) -> impl Stream<Item = Half> {
    let later = stream::once(async move {
        tokio::time::sleep(pause).await;
        second
    });
    stream::iter([Ok(first)]).chain(later)
}

fn bytes_of(body: Bytes) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::iter((0..body.len()).map(move |place| Ok(body.slice(place..=place))))
}
