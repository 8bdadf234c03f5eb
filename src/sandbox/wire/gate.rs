//! What every call of the vendor's passes through: counting, latency, faults.

use std::sync::Arc;

use hyper::StatusCode;

use super::reply::Reply;
use crate::sandbox::answer::{Answered, Ask, address_refused, answer};
use crate::sandbox::call::Verb;
use crate::sandbox::errcode::Refusal;
use crate::sandbox::fault::Fault;
use crate::sandbox::push;
use crate::sandbox::world::{Account, World};

/// The connection ends without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the plan of faults ends this connection")]
pub(crate) struct Gone;

/// Answers one request, unless the plan of faults has it otherwise.
pub(crate) async fn pass(world: &Arc<World>, ask: Ask) -> Result<Reply, Gone> {
    let account = ask.account(world);
    let desk = account.map(|account| &world.desks[account.number]);
    let _flights = [Some(&world.counters), desk.map(|desk| &desk.counters)]
        .map(|counters| counters.map(|counters| counters.enter(ask.call)));
    let fault = world.plan.pick(ask.call, account.map(|account| account.appid.as_str()));
    // A sleep of no time still waits for the timer's next tick.
    if let Some(latency) = world.latency.get(&ask.call).filter(|latency| !latency.is_zero()) {
        tokio::time::sleep(*latency).await;
    }
    match &fault {
        Some(Fault::Disconnect) => return Err(Gone),
        Some(Fault::HttpStatus(status)) => return Ok(Reply::html(*status)),
        _ if ask.chunked && ask.call.verb() == Verb::Post => {
            return Ok(Reply::html(StatusCode::PRECONDITION_FAILED.as_u16()));
        }
        _ => {}
    }
    let body = match attempt(world, &ask, account, fault.as_ref()) {
        Ok(Answered { body, report }) => {
            if let Some(report) = report {
                push::report(world, &report).await;
            }
            body
        }
        Err(refusal) => refuse(world, &ask, account, &refusal),
    };
    spoil(Reply::new(ask.call.content_type(), body), fault).await
}

/// The call itself, with what goes wrong before it.
fn attempt(
    world: &World,
    ask: &Ask,
    account: Option<&Account>,
    fault: Option<&Fault>,
) -> Result<Answered, Refusal> {
    match (fault, account) {
        (Some(Fault::Errcode(40164)), _) => return Err(address_refused(ask.peer)),
        (Some(Fault::Errcode(errcode)), _) => return Err(Refusal::of(*errcode)),
        (Some(Fault::ErrcodeAsText(errcode)), _) => return Err(Refusal::of(*errcode).in_quotes()),
        (Some(Fault::TokenDead), Some(account)) => world.tokens.invalidate(account.number),
        (Some(Fault::TokenJammed), Some(account)) => world.tokens.jam(account.number),
        _ => {}
    }
    answer(world, ask, fault)
}

fn refuse(world: &World, ask: &Ask, account: Option<&Account>, refusal: &Refusal) -> Vec<u8> {
    world.counters.refused(ask.call, refusal.errcode);
    if let Some(account) = account {
        world.desks[account.number].counters.refused(ask.call, refusal.errcode);
    }
    refusal.body(world.now() / 1_000, world.draw())
}

/// What goes wrong after the call has taken effect.
async fn spoil(reply: Reply, fault: Option<Fault>) -> Result<Reply, Gone> {
    Ok(match fault {
        Some(Fault::AnswerLost) => return Err(Gone),
        Some(Fault::Stall(time)) => {
            tokio::time::sleep(time).await;
            reply
        }
        Some(Fault::StallMid(time)) => reply.pausing(time),
        Some(Fault::Cut) => reply.cut(),
        Some(Fault::OneByteChunks) => reply.in_one_byte_chunks(),
        Some(Fault::Truncated) => reply.truncated(),
        Some(Fault::EmptyBody) => reply.empty(),
        Some(Fault::Html) => Reply::html(StatusCode::OK.as_u16()),
        _ => reply,
    })
}
