//! Sends a request until it succeeds or a retry cannot help. Each attempt takes a permit.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::wechat::client::Link;
use crate::wechat::transport::concurrency::{ConcurrencyLimit, Permit, Signal};
use crate::wechat::transport::counts::Counts;
use crate::wechat::transport::request::Request;
use crate::wechat::transport::retry::Retries;
use crate::wechat::{AccessToken, Class, Error, transport::send};

/// State that the calls of one account share.
#[derive(Debug)]
pub(in crate::wechat) struct Shared {
    pub(in crate::wechat) concurrency: ConcurrencyLimit,
    pub(in crate::wechat) counts: Counts,
}

/// Sends the request until it succeeds, fails with an error that a retry cannot fix, or the policy allows no
/// more retries. Sends calls marked [`never_retried`](crate::wechat::transport::request::Call::never_retried) once.
pub(in crate::wechat) async fn with_retries<T: DeserializeOwned>(
    link: &Link,
    request: &Request<'_>,
    token: Option<&AccessToken>,
    shared: Option<&Shared>,
) -> Result<T, Error> {
    let mut retries = Retries::default();
    let mut attempt = 1_u32;
    loop {
        let error = match once_after_permit(link, request, token, shared).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let now = link.clock.now();
        let pause = retries.pause(&link.retry, error.class(), now, rand::random());
        let pause = pause.filter(|_| !request.call.never_retried);
        log(request, &error, attempt, pause);
        match pause {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return Err(error),
        }
        attempt += 1;
    }
}

/// Sends the request, and retries once if `can_retry` accepts the error.
pub(in crate::wechat) async fn with_one_retry<T: DeserializeOwned>(
    link: &Link,
    request: &Request<'_>,
    can_retry: impl Fn(&Error) -> bool,
) -> Result<T, Error> {
    let error = match once(link, request, None).await {
        Ok(answer) => return Ok(answer),
        Err(error) => error,
    };
    let (now, mut retries) = (link.clock.now(), Retries::default());
    let pause = retries.pause(&link.retry, error.class(), now, rand::random());
    let pause = pause.filter(|_| can_retry(&error));
    log(request, &error, 1, pause);
    let Some(pause) = pause else {
        return Err(error);
    };
    tokio::time::sleep(pause).await;
    once(link, request, None).await.inspect_err(|error| log(request, error, 2, None))
}

/// Sends the request once.
pub(in crate::wechat) async fn once<T: DeserializeOwned>(
    link: &Link,
    request: &Request<'_>,
    token: Option<&AccessToken>,
) -> Result<T, Error> {
    send::send(link, request, token).await
}

async fn once_after_permit<T: DeserializeOwned>(
    link: &Link,
    request: &Request<'_>,
    token: Option<&AccessToken>,
    shared: Option<&Shared>,
) -> Result<T, Error> {
    let Some(shared) = shared else {
        return once(link, request, token).await;
    };
    let permit = shared.concurrency.acquire().await;
    once_with_permit(link, request, token, shared, permit).await
}

/// Sends the request once, holding `permit` until the answer arrives.
pub(in crate::wechat) async fn once_with_permit<T: DeserializeOwned>(
    link: &Link,
    request: &Request<'_>,
    token: Option<&AccessToken>,
    shared: &Shared,
    permit: Permit,
) -> Result<T, Error> {
    shared.counts.add(request.call.name());
    let outcome = once(link, request, token).await;
    permit.finish(signal(&outcome));
    outcome
}

fn signal<T>(outcome: &Result<T, Error>) -> Signal {
    match outcome.as_ref().map_err(Error::class) {
        Err(Class::Transient | Class::RateLimited) => Signal::Busy,
        Err(Class::Undecodable | Class::Config) => Signal::Neutral,
        _ => Signal::Success,
    }
}

fn log(request: &Request<'_>, error: &Error, attempt: u32, pause: Option<Duration>) {
    let upstream = error.upstream();
    tracing::debug!(
        wechat.call = request.call.name(),
        wechat.errcode = upstream.map(|upstream| upstream.errcode),
        wechat.rid = upstream.and_then(|upstream| upstream.rid.as_deref()),
        attempt,
        pause_ms = pause.map(|pause| pause.as_millis() as u64),
        %error,
        "a call to WeChat failed"
    );
}
