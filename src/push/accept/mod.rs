//! Accepting messages: what was judged is kept, together with the Idempotency-Key that it came with.

mod check;
mod judge;
mod reach;
mod request;
mod template_cache;
mod values;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::Push;
use super::error::{Error, Refusal};
use crate::model::{MessageId, OpenId};
use crate::resolve::Resolution;
use crate::store::message_requests::{self, Before, Request};
use crate::store::messages::{self, NewMessage, Route};
use crate::store::{self, AccountId, Transaction, accounts, erasures};

use judge::Sendable;

pub use request::{MessageSpec, SendRequest};
pub(super) use template_cache::TemplateCache;

/// For how long the first request with a key may wait for its answer; a process that died gives none.
const IN_FLIGHT_MS: i64 = 20_000;

/// How much longer than one message the database may take for each of many: a thousand usually take a
/// tenth of a second.
const PATIENCE_EACH: Duration = Duration::from_millis(5);

/// What became of each request, in their order.
pub type AcceptResults = Vec<Result<MessageId, Refusal>>;

/// A request that its sender named by an Idempotency-Key.
#[derive(Debug, Clone)]
pub struct IdempotentRequest {
    /// The name, and what is asked for.
    pub request: Request,
    /// Whether its answer waits for WeChat's: until [`Push::note_answer`], repetitions are told to come later.
    pub waits: bool,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// It was judged now.
    Now(AcceptResults),
    /// It came before, and was answered with this.
    Before(String),
}

impl Push {
    /// Judges each request and keeps those that can be sent. `answer` is what the sender is told; it is kept
    /// with the name of the request. A request of which nothing was accepted is not remembered.
    pub async fn accept(
        &self,
        requests: &[SendRequest],
        named: Option<&IdempotentRequest>,
        answer: impl Fn(&AcceptResults) -> String,
    ) -> Result<Accepted, Error> {
        if let Some(answer) = self.find_answer(named).await? {
            return Ok(Accepted::Before(answer));
        }
        let judged = self.judge(requests).await?;
        let patience = store::DEADLINE + PATIENCE_EACH * (requests.len() as u32).saturating_sub(1);
        let keep = self.keep(judged, named, answer);
        let Some(verdicts) = store::within(patience, keep).await? else {
            // Another request with this name was faster.
            let before = self.find_answer(named).await?;
            return before.map(Accepted::Before).ok_or(Error::InFlight);
        };
        if verdicts.iter().any(Result::is_ok) {
            self.senders.values().for_each(|sender| sender.wanted.notify_one());
        }
        Ok(Accepted::Now(verdicts))
    }

    /// Notes what a request that waited was answered with at last.
    pub async fn note_answer(&self, request: &Request, answer: &str) -> Result<(), Error> {
        let writer = self.store.writer();
        Ok(store::in_time(message_requests::settle(writer, request, answer)).await?)
    }

    /// What a request with this name was answered with, if one came before.
    async fn find_answer(
        &self,
        named: Option<&IdempotentRequest>,
    ) -> Result<Option<String>, Error> {
        let Some(IdempotentRequest { request, .. }) = named else { return Ok(None) };
        let find = async {
            match message_requests::find(self.store.reader(), request).await? {
                Some(before) => Ok(Some((before, self.store.now().await?))),
                None => Ok(None),
            }
        };
        match store::in_time(find).await? {
            None => Ok(None),
            Some((Before { body, .. }, _)) if body != request.body => Err(Error::OtherRequest),
            Some((before, now)) if now < before.in_flight_until => Err(Error::InFlight),
            Some((before, _)) => Ok(Some(before.answer)),
        }
    }

    /// Keeps what can be sent; `None` where another request has the name.
    async fn keep(
        &self,
        judged: Vec<Result<Sendable, Refusal>>,
        named: Option<&IdempotentRequest>,
        answer: impl Fn(&AcceptResults) -> String,
    ) -> Result<Option<AcceptResults>, store::Error> {
        if judged.iter().all(Result::is_err) {
            let refused = judged.into_iter().filter_map(Result::err).map(Err);
            return Ok(Some(refused.collect()));
        }
        let transaction = store::in_time(self.store.begin()).await?;
        let judged = without_erased(&transaction, judged).await?;
        let now = store::now(&transaction).await?;
        let mut kept = Vec::new();
        let mut verdicts = Vec::with_capacity(judged.len());
        for judged in judged {
            verdicts.push(judged.map(|Sendable { unionid, route, fallback }| {
                let id = MessageId::new(now.unsigned_abs(), rand::random());
                kept.push(NewMessage { id: id.clone(), unionid, route, fallback });
                id
            }));
        }
        if kept.is_empty() {
            return Ok(Some(verdicts));
        }
        if let Some(IdempotentRequest { request, waits }) = named {
            let in_flight_until = if *waits { now + IN_FLIGHT_MS } else { 0 };
            let answer = answer(&verdicts);
            if !message_requests::claim(&transaction, request, &answer, in_flight_until, now)
                .await?
            {
                return Ok(None);
            }
        }
        messages::insert(&transaction, &kept, now).await?;
        transaction.commit().await?;
        Ok(Some(verdicts))
    }
}

/// The same, but for people who were erased and have not acted since: nothing is written of them. Keeps
/// erasures waiting until the transaction ends.
async fn without_erased(
    transaction: &Transaction,
    mut judged: Vec<Result<Sendable, Refusal>>,
) -> Result<Vec<Result<Sendable, Refusal>>, store::Error> {
    let mut openids: BTreeMap<AccountId, HashSet<OpenId>> = BTreeMap::new();
    for Sendable { route, fallback, .. } in judged.iter().flatten() {
        for route in [Some(route), fallback.as_ref()].into_iter().flatten() {
            openids.entry(route.account).or_default().insert(route.openid.clone());
        }
    }
    for account in openids.keys() {
        accounts::share(transaction, *account).await?;
    }
    let mut erased = HashSet::new();
    for (account, openids) in openids {
        let openids: Vec<&OpenId> = openids.iter().collect();
        let found = erasures::list_erased(transaction, account, &openids).await?;
        erased.extend(found.into_iter().map(|openid| (account, openid)));
    }
    let is_erased = |route: &Route| erased.contains(&(route.account, route.openid.clone()));
    for judged in &mut judged {
        let Ok(Sendable { route, fallback, .. }) = judged else { continue };
        if is_erased(route) || fallback.as_ref().is_some_and(is_erased) {
            *judged = Err(Refusal::Unreachable(Resolution::UserUnknown));
        }
    }
    Ok(judged)
}
