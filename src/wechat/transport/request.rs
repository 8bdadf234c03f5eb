//! A request to WeChat's API, before it is sent.

use bytes::Bytes;
use serde::Serialize;

use crate::wechat::Class;

/// One of the calls of WeChat's API.
#[derive(Debug, Clone, Copy)]
pub(in crate::wechat) struct Call {
    /// The path on WeChat's server.
    pub(in crate::wechat) path: &'static str,
    /// Classifies the errcodes of this call.
    pub(in crate::wechat) class_of: fn(i64) -> Class,
    /// Whether the call must not be retried, because sending it twice has a second effect.
    pub(in crate::wechat) never_retried: bool,
}

impl Call {
    /// An ordinary call, sent with an access token.
    pub(in crate::wechat) const fn with_token(path: &'static str) -> Self {
        Self { path, class_of: Class::of, never_retried: false }
    }

    /// A call sent with the account's AppSecret.
    pub(in crate::wechat) const fn with_secret(path: &'static str) -> Self {
        Self::with_token(path).classed(Class::of_secret_endpoint)
    }

    /// The same call with its own classification of errcodes.
    pub(in crate::wechat) const fn classed(self, class_of: fn(i64) -> Class) -> Self {
        Self { class_of, ..self }
    }

    /// The same call, never retried. Only a refused token leads to a second attempt, as WeChat executes no
    /// call with a refused token.
    pub(in crate::wechat) const fn never_retried(self) -> Self {
        Self { never_retried: true, ..self }
    }

    /// The name in counts, logs and errors: the path without `/cgi-bin/`, or else without its leading slash.
    pub(in crate::wechat) fn name(self) -> &'static str {
        let below = self.path.strip_prefix("/cgi-bin/");
        below.or_else(|| self.path.strip_prefix('/')).unwrap_or(self.path)
    }
}

/// A request: a POST if there is a body, else a GET.
#[derive(Clone)]
pub(in crate::wechat) struct Request<'a> {
    pub(in crate::wechat) call: Call,
    pub(in crate::wechat) query: Vec<(&'static str, &'a str)>,
    pub(in crate::wechat) body: Option<Bytes>,
    /// Values in the body that errors must not repeat.
    pub(in crate::wechat) redacted: Vec<&'a str>,
}

impl<'a> Request<'a> {
    pub(in crate::wechat) fn get(call: Call) -> Self {
        Self { call, query: Vec::new(), body: None, redacted: Vec::new() }
    }

    /// The body is raw UTF-8 JSON: some calls of WeChat refuse texts escaped as `\uXXXX`.
    pub(in crate::wechat) fn post(call: Call, body: &impl Serialize) -> Self {
        // All bodies are plain structs with string keys, which always serialise. WeChat would answer an
        // empty body with 44002.
        let body = serde_json::to_vec(body).unwrap_or_default().into();
        Self { body: Some(body), ..Self::get(call) }
    }

    pub(in crate::wechat) fn with(mut self, name: &'static str, value: &'a str) -> Self {
        self.query.push((name, value));
        self
    }

    pub(in crate::wechat) fn redacting(
        mut self,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        self.redacted.extend(values);
        self
    }

    /// The values that errors must not repeat.
    pub(in crate::wechat) fn redacted(&self) -> impl Iterator<Item = &'a str> {
        self.query.iter().map(|(_, value)| *value).chain(self.redacted.iter().copied())
    }
}
