//! Accepting messages: validated messages are stored together with the request's Idempotency-Key.

mod check;
mod recipients;
mod request;
mod template_cache;
mod validate;
mod values;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::Push;
use super::error::{Error, Refusal};
use crate::model::{MessageId, OpenId};
use crate::resolve::Resolution;
use crate::store::message_requests::{self, EarlierRequest, Request};
use crate::store::messages::{self, NewMessage, Route};
use crate::store::{self, AccountId, Transaction, accounts, erasures};

use validate::Sendable;

pub use request::{MessageSpec, SendRequest};
pub(super) use template_cache::TemplateCache;

/// How long, in ms, the first request with a key may take to be answered. A process that died never
/// answers.
const IN_FLIGHT_MS: i64 = 20_000;

/// How much the database timeout grows per message. Measured: a thousand messages usually take 100
/// ms.
const TIMEOUT_PER_MESSAGE: Duration = Duration::from_millis(5);

/// The result of each request, in request order.
pub type AcceptResults = Vec<Result<MessageId, Refusal>>;

/// A request with an Idempotency-Key.
#[derive(Debug, Clone)]
pub struct IdempotentRequest {
    /// The key, and the request body it was sent with.
    pub request: Request,
    /// Whether the caller waits for WeChat's answer. Until [`Push::record_answer`] is called,
    /// repeated requests get [`Error::InFlight`].
    pub waits: bool,
}

/// The result of [`Push::accept`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// The requests were validated now.
    New(AcceptResults),
    /// The key was used before; this is the answer that the first request got.
    Replayed(String),
}

impl Push {
    /// Validates each request and stores those that can be sent. `answer` builds the response body
    /// that is stored with the Idempotency-Key. The key is not stored if no request was accepted.
    pub async fn accept(
        &self,
        requests: &[SendRequest],
        idempotency: Option<&IdempotentRequest>,
        answer: impl Fn(&AcceptResults) -> String,
    ) -> Result<Accepted, Error> {
        if let Some(answer) = self.find_answer(idempotency).await? {
            return Ok(Accepted::Replayed(answer));
        }
        let validated = self.validate(requests).await?;
        let timeout =
            store::DEADLINE + TIMEOUT_PER_MESSAGE * (requests.len() as u32).saturating_sub(1);
        let storing = self.store_messages(validated, idempotency, answer);
        let Some(results) = store::within(timeout, storing).await? else {
            // Another request with this key was faster.
            let before = self.find_answer(idempotency).await?;
            return before.map(Accepted::Replayed).ok_or(Error::InFlight);
        };
        if results.iter().any(Result::is_ok) {
            self.senders.values().for_each(|sender| sender.wake.notify_one());
        }
        Ok(Accepted::New(results))
    }

    /// Stores the final answer of a request that waited for WeChat.
    pub async fn record_answer(&self, request: &Request, answer: &str) -> Result<(), Error> {
        let writer = self.store.writer();
        Ok(store::in_time(message_requests::record_answer(writer, request, answer)).await?)
    }

    /// Returns the answer to an earlier request with this key.
    async fn find_answer(
        &self,
        idempotency: Option<&IdempotentRequest>,
    ) -> Result<Option<String>, Error> {
        let Some(IdempotentRequest { request, .. }) = idempotency else { return Ok(None) };
        let find = async {
            match message_requests::find(self.store.reader(), request).await? {
                Some(before) => Ok(Some((before, self.store.now().await?))),
                None => Ok(None),
            }
        };
        match store::in_time(find).await? {
            None => Ok(None),
            Some((EarlierRequest { body, .. }, _)) if body != request.body => {
                Err(Error::OtherRequest)
            }
            Some((before, now)) if now < before.in_flight_until => Err(Error::InFlight),
            Some((before, _)) => Ok(Some(before.answer)),
        }
    }

    /// Stores what can be sent. Returns `None` if another request took the key.
    async fn store_messages(
        &self,
        validated: Vec<Result<Sendable, Refusal>>,
        idempotency: Option<&IdempotentRequest>,
        answer: impl Fn(&AcceptResults) -> String,
    ) -> Result<Option<AcceptResults>, store::Error> {
        if validated.iter().all(Result::is_err) {
            let refused = validated.into_iter().filter_map(Result::err).map(Err);
            return Ok(Some(refused.collect()));
        }
        let transaction = store::in_time(self.store.begin()).await?;
        let validated = without_erased(&transaction, validated).await?;
        let now = store::now(&transaction).await?;
        let mut stored = Vec::new();
        let mut results = Vec::with_capacity(validated.len());
        for result in validated {
            results.push(result.map(|Sendable { unionid, route, fallback }| {
                let id = MessageId::new(now.unsigned_abs(), rand::random());
                stored.push(NewMessage { id: id.clone(), unionid, route, fallback });
                id
            }));
        }
        if stored.is_empty() {
            return Ok(Some(results));
        }
        if let Some(IdempotentRequest { request, waits }) = idempotency {
            let in_flight_until = if *waits { now + IN_FLIGHT_MS } else { 0 };
            let answer = answer(&results);
            if !message_requests::claim(&transaction, request, &answer, in_flight_until, now)
                .await?
            {
                return Ok(None);
            }
        }
        messages::insert(&transaction, &stored, now).await?;
        transaction.commit().await?;
        Ok(Some(results))
    }
}

/// Replaces messages to erased users with a refusal, unless the user acted since: nothing may be
/// written about them. Blocks erasures until the transaction ends.
async fn without_erased(
    transaction: &Transaction,
    mut validated: Vec<Result<Sendable, Refusal>>,
) -> Result<Vec<Result<Sendable, Refusal>>, store::Error> {
    let mut openids: BTreeMap<AccountId, HashSet<OpenId>> = BTreeMap::new();
    for Sendable { route, fallback, .. } in validated.iter().flatten() {
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
    for result in &mut validated {
        let Ok(Sendable { route, fallback, .. }) = result else { continue };
        if is_erased(route) || fallback.as_ref().is_some_and(is_erased) {
            *result = Err(Refusal::Unreachable(Resolution::UserUnknown));
        }
    }
    Ok(validated)
}
