//! One code's way from the caller to WeChat and the database, for all who ask about it.

use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;
use tracing::Instrument;

use super::code_cache::{Exchange, Progress};
use super::{Answer, Asked, Error, Shared};
use crate::model::AccountKind;
use crate::wechat::login::{LoginRefusal, Session};

impl Shared {
    /// What became of the code, or what becomes of it now.
    pub(super) async fn answer(
        self: Arc<Self>,
        caller: &str,
        asked: Asked,
    ) -> Result<Answer, Error> {
        let exchange = self.exchange_of(caller, &asked).await?;
        // Who is second waits here, and gives up without harm to the first.
        let progress = exchange.progress.clone().lock_owned().await;
        if let Progress::Ended(outcome) = &*progress {
            return outcome.clone();
        }
        // In a task of its own: once WeChat has the code, the answer must not be lost because a caller
        // went away.
        let work = tokio::spawn(self.advance(exchange, progress, asked).in_current_span());
        match work.await {
            Ok(outcome) => outcome,
            Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
            Err(_) => Err(Error::TimedOut),
        }
    }

    async fn exchange_of(&self, caller: &str, asked: &Asked) -> Result<Arc<Exchange>, Error> {
        let exchange = self.codes.find_or_begin(&asked.appid, &asked.code, caller).await;
        // A code is one user's secret: whoever has it second is not the one it was given to.
        match *exchange.caller == *caller {
            true => Ok(exchange),
            false => Err(Error::CodeUsed { upstream: None }),
        }
    }

    /// Takes the code as far as it goes. What was done is not done again by the next attempt.
    async fn advance(
        self: Arc<Self>,
        exchange: Arc<Exchange>,
        mut progress: OwnedMutexGuard<Progress>,
        asked: Asked,
    ) -> Result<Answer, Error> {
        let session = self.session(&exchange.caller, &mut progress, &asked).await?;
        let answer = self.record(&asked, &session).await?;
        *progress = Progress::Ended(Ok(answer.clone()));
        Ok(answer)
    }

    /// Who WeChat says it is: said before, or now.
    async fn session(
        &self,
        caller: &str,
        progress: &mut Progress,
        asked: &Asked,
    ) -> Result<Session, Error> {
        if let Progress::Exchanged(session) = progress {
            return Ok(session.clone());
        }
        match self.ask(caller, asked).await {
            Ok(session) => {
                *progress = Progress::Exchanged(session.clone());
                Ok(session)
            }
            Err((error, Left::Unused)) => Err(error),
            Err((error, Left::Used)) => {
                *progress = Progress::Ended(Err(error.clone()));
                Err(error)
            }
        }
    }

    async fn ask(&self, caller: &str, asked: &Asked) -> Result<Session, (Error, Left)> {
        let Some(program) = self.programs.get(&asked.appid) else {
            let unknown = self.accounts.unknown(AccountKind::MiniProgram, &asked.appid);
            return Err((unknown.into(), Left::Unused));
        };
        let Ok(_place) = self.places.try_acquire() else {
            return Err((Error::TooManyAtOnce, Left::Unused));
        };
        let ticket = self.budgets.take(caller);
        let ticket =
            ticket.map_err(|retry_after| (Error::TooManyRefused { retry_after }, Left::Unused))?;
        let asking = self.client.code_to_session(&program.appid, &program.secret, &asked.code);
        asking.await.map_err(|error| {
            if let Some(LoginRefusal::InvalidCode | LoginRefusal::UsedCode) = error.login_refusal()
            {
                ticket.refused();
            }
            let left = match error.leaves_login_code_unused() {
                true => Left::Unused,
                false => Left::Used,
            };
            (error.into(), left)
        })
    }
}

/// What is left of a code after an attempt that failed.
enum Left {
    /// It can be sent again.
    Unused,
    /// WeChat has it, or may have it: it is not sent a second time.
    Used,
}
