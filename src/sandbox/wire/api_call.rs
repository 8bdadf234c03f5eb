//! What every API call passes through: counting, latency, faults.

use std::sync::Arc;

use hyper::StatusCode;

use super::reply::Reply;
use crate::sandbox::answer::{Answered, ApiRequest, address_refused, answer};
use crate::sandbox::call::Verb;
use crate::sandbox::errcode::Refusal;
use crate::sandbox::fault::Fault;
use crate::sandbox::push;
use crate::sandbox::world::{Account, World};

/// The connection is closed without a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fault rule closed this connection")]
pub(crate) struct Disconnected;

/// Handles one request and applies the fault, if any.
pub(crate) async fn handle(world: &Arc<World>, request: ApiRequest) -> Result<Reply, Disconnected> {
    let account = request.account(world);
    let usage = account.map(|account| &world.usage[account.number]);
    let _in_flight = [Some(&world.counters), usage.map(|usage| &usage.counters)]
        .map(|counters| counters.map(|counters| counters.enter(request.call)));
    let fault = world.plan.pick(request.call, account.map(|account| account.appid.as_str()));
    // A sleep of zero still waits for the timer's next tick.
    if let Some(latency) = world.latency.get(&request.call).filter(|latency| !latency.is_zero()) {
        tokio::time::sleep(*latency).await;
    }
    match &fault {
        Some(Fault::Disconnect) => return Err(Disconnected),
        Some(Fault::HttpStatus(status)) => return Ok(Reply::html(*status)),
        _ if request.chunked && request.call.verb() == Verb::Post => {
            return Ok(Reply::html(StatusCode::PRECONDITION_FAILED.as_u16()));
        }
        _ => {}
    }
    let body = match execute(world, &request, account, fault.as_ref()) {
        Ok(Answered { body, receipt }) => {
            if let Some(receipt) = receipt {
                push::push_receipt(world, &receipt).await;
            }
            body
        }
        Err(refusal) => refuse(world, &request, account, &refusal),
    };
    apply_to_reply(Reply::new(request.call.content_type(), body), fault).await
}

/// Executes the call, after the faults that apply before it.
fn execute(
    world: &World,
    request: &ApiRequest,
    account: Option<&Account>,
    fault: Option<&Fault>,
) -> Result<Answered, Refusal> {
    match (fault, account) {
        (Some(Fault::Errcode(40164)), _) => return Err(address_refused(request.peer)),
        (Some(Fault::Errcode(errcode)), _) => return Err(Refusal::of(*errcode)),
        (Some(Fault::ErrcodeAsText(errcode)), _) => {
            return Err(Refusal::of(*errcode).with_text_errcode());
        }
        (Some(Fault::TokenDead), Some(account)) => world.tokens.invalidate(account.number),
        (Some(Fault::TokenJammed), Some(account)) => world.tokens.jam(account.number),
        _ => {}
    }
    answer(world, request, fault)
}

/// Counts an error response and returns its body.
fn refuse(
    world: &World,
    request: &ApiRequest,
    account: Option<&Account>,
    refusal: &Refusal,
) -> Vec<u8> {
    world.counters.record_refusal(request.call, refusal.errcode);
    if let Some(account) = account {
        world.usage[account.number].counters.record_refusal(request.call, refusal.errcode);
    }
    refusal.body(world.now() / 1_000, world.random())
}

/// Applies the faults that affect the response, after the call took effect.
async fn apply_to_reply(reply: Reply, fault: Option<Fault>) -> Result<Reply, Disconnected> {
    Ok(match fault {
        Some(Fault::AnswerLost) => return Err(Disconnected),
        Some(Fault::Stall(delay)) => {
            tokio::time::sleep(delay).await;
            reply
        }
        Some(Fault::StallMid(pause)) => reply.with_pause(pause),
        Some(Fault::Cut) => reply.cut(),
        Some(Fault::OneByteChunks) => reply.in_one_byte_chunks(),
        Some(Fault::Truncated) => reply.truncated(),
        Some(Fault::EmptyBody) => reply.empty(),
        Some(Fault::Html) => Reply::html(StatusCode::OK.as_u16()),
        _ => reply,
    })
}
