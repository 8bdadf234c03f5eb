//! A call of WeChat's API, before it is sent.

use bytes::Bytes;
use serde::Serialize;

use super::Class;

/// One of WeChat's calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    /// The path on WeChat's server.
    pub(super) path: &'static str,
    /// What an errcode means on this call.
    pub(super) class_of: fn(i64) -> Class,
    /// Whether it is made once only, because a second time would do a second thing.
    pub(super) is_made_once: bool,
}

impl Call {
    /// An ordinary call, made with an access token.
    pub(super) const fn with_token(path: &'static str) -> Self {
        Self { path, class_of: Class::of, is_made_once: false }
    }

    /// A call made with the account's AppSecret.
    pub(super) const fn with_secret(path: &'static str) -> Self {
        Self::with_token(path).classed(Class::of_secret_endpoint)
    }

    /// The same call, on which errcodes have meanings of their own.
    pub(super) const fn classed(self, class_of: fn(i64) -> Class) -> Self {
        Self { class_of, ..self }
    }

    /// The same call, made once: only a refused token, which no call gets past, is followed by another
    /// attempt.
    pub(super) const fn made_once(self) -> Self {
        Self { is_made_once: true, ..self }
    }

    /// The name in counts, logs and errors: the path below `/cgi-bin/`, else without its first slash.
    pub(super) fn name(self) -> &'static str {
        let below = self.path.strip_prefix("/cgi-bin/");
        below.or_else(|| self.path.strip_prefix('/')).unwrap_or(self.path)
    }
}

/// One use of a call: a GET, or a POST where there is a body.
#[derive(Clone)]
pub(super) struct Request<'a> {
    pub(super) call: Call,
    pub(super) query: Vec<(&'static str, &'a str)>,
    pub(super) body: Option<Bytes>,
    /// Values of the body that an error must not repeat.
    pub(super) redacted: Vec<&'a str>,
}

impl<'a> Request<'a> {
    pub(super) fn get(call: Call) -> Self {
        Self { call, query: Vec::new(), body: None, redacted: Vec::new() }
    }

    /// The body is raw UTF-8 JSON: WeChat refuses texts escaped as `\uXXXX` on some calls.
    pub(super) fn post(call: Call, body: &impl Serialize) -> Self {
        // Our own bodies are plain structs with text names, which always serialise; an empty body
        // would be answered with 44002.
        let body = serde_json::to_vec(body).unwrap_or_default().into();
        Self { body: Some(body), ..Self::get(call) }
    }

    pub(super) fn with(mut self, name: &'static str, value: &'a str) -> Self {
        self.query.push((name, value));
        self
    }

    pub(super) fn redacting(mut self, values: impl IntoIterator<Item = &'a str>) -> Self {
        self.redacted.extend(values);
        self
    }

    /// The values that an error must not repeat.
    pub(super) fn redacted(&self) -> impl Iterator<Item = &'a str> {
        self.query.iter().map(|(_, value)| *value).chain(self.redacted.iter().copied())
    }
}
