//! Exchanges one code: WeChat is called once, and all callers with the same code share the result.

use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;
use tracing::Instrument;

use super::code_cache::{Exchange, Progress};
use super::{Answer, Error, ParsedRequest, Shared};
use crate::model::AccountKind;
use crate::wechat::login::{LoginRefusal, Session};

impl Shared {
    /// Returns the result of the code, exchanging it if necessary.
    pub(super) async fn answer(
        self: Arc<Self>,
        caller: &str,
        request: ParsedRequest,
    ) -> Result<Answer, Error> {
        let exchange = self.exchange_of(caller, &request).await?;
        // A concurrent caller waits here, and may time out without affecting the first one.
        let progress = exchange.progress.clone().lock_owned().await;
        if let Progress::Ended(outcome) = &*progress {
            return outcome.clone();
        }
        // In a separate task: once WeChat has the code, the answer must not be lost because the
        // caller disconnects.
        let work = tokio::spawn(self.advance(exchange, progress, request).in_current_span());
        match work.await {
            Ok(outcome) => outcome,
            Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
            Err(_) => Err(Error::TimedOut),
        }
    }

    async fn exchange_of(
        &self,
        caller: &str,
        request: &ParsedRequest,
    ) -> Result<Arc<Exchange>, Error> {
        let exchange = self.codes.find_or_begin(&request.appid, &request.code, caller).await;
        // A code is one user's secret: a second caller is not the one it was issued to.
        match *exchange.caller == *caller {
            true => Ok(exchange),
            false => Err(Error::CodeUsed { upstream: None }),
        }
    }

    /// Advances the exchange as far as possible. Later attempts skip the completed steps.
    async fn advance(
        self: Arc<Self>,
        exchange: Arc<Exchange>,
        mut progress: OwnedMutexGuard<Progress>,
        request: ParsedRequest,
    ) -> Result<Answer, Error> {
        let session = self.session(&exchange.caller, &mut progress, &request).await?;
        let answer = self.record(&request, &session).await?;
        *progress = Progress::Ended(Ok(answer.clone()));
        Ok(answer)
    }

    /// Returns WeChat's session for the code, calling WeChat if it has not answered before.
    async fn session(
        &self,
        caller: &str,
        progress: &mut Progress,
        request: &ParsedRequest,
    ) -> Result<Session, Error> {
        if let Progress::Exchanged(session) = progress {
            return Ok(session.clone());
        }
        match self.call_wechat(caller, request).await {
            Ok(session) => {
                *progress = Progress::Exchanged(session.clone());
                Ok(session)
            }
            Err((error, CodeState::Unused)) => Err(error),
            Err((error, CodeState::Used)) => {
                *progress = Progress::Ended(Err(error.clone()));
                Err(error)
            }
        }
    }

    async fn call_wechat(
        &self,
        caller: &str,
        request: &ParsedRequest,
    ) -> Result<Session, (Error, CodeState)> {
        let Some(program) = self.programs.get(&request.appid) else {
            let unknown = self.accounts.unknown(AccountKind::MiniProgram, &request.appid);
            return Err((unknown.into(), CodeState::Unused));
        };
        let Ok(_permit) = self.permits.try_acquire() else {
            return Err((Error::TooManyAtOnce, CodeState::Unused));
        };
        let ticket = self.budgets.acquire(caller);
        let ticket = ticket
            .map_err(|retry_after| (Error::TooManyRefused { retry_after }, CodeState::Unused))?;
        let call = self.client.code_to_session(&program.appid, &program.secret, &request.code);
        call.await.map_err(|error| {
            // Not for a used code: another process may have exchanged it for the same caller.
            if let Some(LoginRefusal::InvalidCode) = error.login_refusal() {
                ticket.refused();
            }
            let state = match error.leaves_login_code_unused() {
                true => CodeState::Unused,
                false => CodeState::Used,
            };
            (error.into(), state)
        })
    }
}

/// The state of a code after a failed attempt.
enum CodeState {
    /// The code can be sent again.
    Unused,
    /// WeChat has the code, or may have it, so it is not sent again.
    Used,
}
