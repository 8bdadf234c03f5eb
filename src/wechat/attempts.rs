//! The attempts at one call: each with a permit, with pauses between them.

use std::time::Duration;

use serde::de::DeserializeOwned;

use super::client::Link;
use super::concurrency::{ConcurrencyLimit, Permit, Signal};
use super::counts::Counts;
use super::request::Request;
use super::retry::Repetitions;
use super::{AccessToken, Class, Error, send};

/// What the calls of one account share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) concurrency: ConcurrencyLimit,
    pub(super) counts: Counts,
}

/// Calls until there is an answer, or an error that another attempt would not mend; a call that is made
/// once only, once.
pub(super) async fn repeated<T: DeserializeOwned>(
    link: &Link,
    request: &Request<'_>,
    token: Option<&AccessToken>,
    shared: Option<&Shared>,
) -> Result<T, Error> {
    let mut repetitions = Repetitions::default();
    let mut attempt = 1_u32;
    loop {
        let error = match once_when_permitted(link, request, token, shared).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let now = link.clock.now();
        let pause = repetitions.pause(&link.retry, error.class(), now, rand::random());
        let pause = pause.filter(|_| !request.call.is_made_once);
        log(request, &error, attempt, pause);
        match pause {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return Err(error),
        }
        attempt += 1;
    }
}

/// Calls, and once more after an error that `unused` takes for one that used nothing up.
pub(super) async fn repeated_once<T: DeserializeOwned>(
    link: &Link,
    request: &Request<'_>,
    unused: impl Fn(&Error) -> bool,
) -> Result<T, Error> {
    let error = match once(link, request, None).await {
        Ok(answer) => return Ok(answer),
        Err(error) => error,
    };
    let (now, mut repetitions) = (link.clock.now(), Repetitions::default());
    let pause = repetitions.pause(&link.retry, error.class(), now, rand::random());
    let pause = pause.filter(|_| unused(&error));
    log(request, &error, 1, pause);
    let Some(pause) = pause else {
        return Err(error);
    };
    tokio::time::sleep(pause).await;
    once(link, request, None).await.inspect_err(|error| log(request, error, 2, None))
}

/// Calls once.
pub(super) async fn once<T: DeserializeOwned>(
    link: &Link,
    request: &Request<'_>,
    token: Option<&AccessToken>,
) -> Result<T, Error> {
    send::ask(link, request, token).await
}

async fn once_when_permitted<T: DeserializeOwned>(
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

/// Calls once, from a permit.
pub(super) async fn once_with_permit<T: DeserializeOwned>(
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
        Err(Class::Undecodable | Class::Config) => Signal::Neither,
        _ => Signal::Well,
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
