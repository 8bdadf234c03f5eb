//! Checks the connection to WeChat: DNS, TLS certificate, whether WeChat answers, and its clock.

use chrono::{DateTime, Utc};

use super::check::within;
use super::{Check, Context, NO_CLIENT, Name, clocks};
use crate::error_chain::error_chain;
use crate::wechat::{Client, Error, Probe, Resolved, TransportError};

const NAMES: [Name; 4] = [Name::WechatDns, Name::WechatTls, Name::WechatAnswer, Name::ClockWechat];

pub(super) async fn examine(context: &Context<'_>) -> Vec<Check> {
    let Some(client) = &context.client else {
        return NAMES.map(|name| Check::skipped(name, NO_CLIENT)).into();
    };
    let base_url = context.config.wechat.base_url.as_str().trim_end_matches('/');
    let probed =
        within(context.limit(), Name::WechatAnswer, async { Ok(probe(context, client).await) });
    let resolved = within(context.limit(), Name::WechatDns, async { Ok(client.resolve().await) });
    let (probed, resolved) = tokio::join!(probed, resolved);
    let is_reached = probed.as_ref().is_ok_and(|(probe, ..)| is_connected(&probe.answer));
    let dns = resolved.map_or_else(|timed_out| timed_out, |found| dns(found, is_reached));
    let about = |check: Check| check.about(base_url);
    match probed {
        Ok((probe, ours)) => {
            let tls = tls(context, &probe.answer);
            let clock = clock(probe.server_time, ours);
            [dns, tls, answer(&probe.answer), clock].map(about).into()
        }
        Err(timed_out) => {
            let skipped = |name| Check::skipped(name, "WeChat did not answer in time");
            let others = [skipped(Name::WechatTls), skipped(Name::ClockWechat)];
            [dns, timed_out].into_iter().chain(others).map(about).collect()
        }
    }
}

/// Readings of this machine's clock before and after the request.
type Readings = (DateTime<Utc>, DateTime<Utc>);

async fn probe(context: &Context<'_>, client: &Client) -> (Probe, Readings) {
    let before = context.clock.now();
    let probe = client.probe().await;
    (probe, (before, context.clock.now()))
}

fn dns(resolved: Option<Resolved>, is_reached: bool) -> Check {
    let check = Name::WechatDns;
    let Some(Resolved { name, addresses }) = resolved else {
        return Check::skipped(check, "wechat.base_url contains an IP address");
    };
    let problem = match addresses {
        Ok(addresses) if !addresses.is_empty() => {
            let shown: Vec<_> = addresses.iter().take(3).map(ToString::to_string).collect();
            return Check::ok(check, format!("{name} resolves to {}", shown.join(", ")));
        }
        Ok(_) => format!("{name} has no IP address"),
        Err(error) => format!("{name} could not be resolved: {error}"),
    };
    if is_reached {
        let detail = format!("{problem}, but WeChat was reached through a proxy");
        return Check::ok(check, detail);
    }
    let hint = "check wechat.base_url and this machine's name server (/etc/resolv.conf)";
    Check::fail(check, problem, hint)
}

/// Whether a connection was established, including TLS.
fn is_connected(answer: &Result<(), Error>) -> bool {
    !matches!(answer, Err(Error::Transport { fault, .. }) if stage(fault) != Stage::Answer)
}

/// The stage at which a request failed.
#[derive(PartialEq, Eq)]
enum Stage {
    Connection,
    Tls,
    Answer,
}

fn stage(fault: &TransportError) -> Stage {
    match fault {
        TransportError::Certificate(_) | TransportError::Tls(_) | TransportError::BrokenTls(_) => {
            Stage::Tls
        }
        TransportError::Timeout | TransportError::Broken | TransportError::TooLong => Stage::Answer,
        TransportError::NameNotResolved
        | TransportError::ConnectionRefused
        | TransportError::NotConnected
        | TransportError::ConnectTimeout => Stage::Connection,
    }
}

fn tls(context: &Context<'_>, answer: &Result<(), Error>) -> Check {
    let name = Name::WechatTls;
    if context.config.wechat.base_url.scheme() != "https" {
        return Check::skipped(name, "wechat.base_url uses http on this machine");
    }
    match answer {
        Err(Error::Transport { fault, .. }) => match stage(fault) {
            Stage::Tls => Check::fail(name, fault.to_string(), hint(answer)),
            Stage::Connection => Check::skipped(name, "no connection could be made"),
            Stage::Answer => Check::ok(name, "the certificate is valid"),
        },
        _ => Check::ok(name, "the certificate is valid"),
    }
}

fn answer(answer: &Result<(), Error>) -> Check {
    let name = Name::WechatAnswer;
    match answer {
        Ok(()) => Check::ok(name, "WeChat's API answers"),
        // A gateway may forward only some routes.
        Err(error @ Error::Status { status: 404, .. }) => {
            Check::warn(name, error_chain(error), hint(answer))
        }
        Err(error) => Check::fail(name, error_chain(error), hint(answer)),
    }
}

fn hint(answer: &Result<(), Error>) -> String {
    let hint = match answer {
        Err(Error::Transport { fault: TransportError::Tls(_), .. }) => {
            "the server does not speak TLS as WeChat does: check the port in wechat.base_url and \
             proxies"
        }
        _ => "check wechat.base_url, proxies and this machine's internet connection",
    };
    let known = answer.as_ref().err().and_then(Error::hint);
    known.unwrap_or_else(|| hint.to_owned())
}

fn clock(server_time: Option<DateTime<Utc>>, ours: Readings) -> Check {
    match server_time {
        Some(theirs) => clocks::evaluate(Name::ClockWechat, "WeChat's", theirs, ours),
        None => Check::skipped(Name::ClockWechat, "no response contained WeChat's time"),
    }
}
