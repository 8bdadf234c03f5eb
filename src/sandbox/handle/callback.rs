//! An account's callback, and what is pushed to it.

use super::Account;
use crate::sandbox::push::{self, Answer, Callback, Envelope, Event, InvalidCallback, Undelivered};
use crate::sandbox::world::{Push, PushId};

impl Account {
    /// Its original id, `gh_` and 12 hex digits, by which pushes name it.
    pub fn original_id(&self) -> &str {
        &self.inner().original_id
    }

    /// Where its events are pushed, if anywhere.
    pub fn callback(&self) -> Option<Callback> {
        self.inner().state().callback.clone()
    }

    /// Where its events are pushed from now on; `None` for nowhere.
    pub fn set_callback(&self, callback: Option<Callback>) -> Result<(), InvalidCallback> {
        let (kind, appid) = (self.inner().kind, self.appid());
        let callback = callback.map(|callback| callback.for_account(kind, appid)).transpose()?;
        self.inner().change(|state| state.callback = callback);
        Ok(())
    }

    /// Moves its callback to another URL. An account without one gets one in safe mode, whose
    /// token and key the world's seed decides.
    pub fn set_callback_url(&self, url: &str) -> Result<(), InvalidCallback> {
        let url = url.to_owned();
        let callback = self.callback();
        let callback =
            callback.unwrap_or_else(|| Callback::made("", self.world.seed(), self.appid()));
        self.set_callback(Some(Callback { url, ..callback }))
    }

    /// Checks the URL as the vendor does when an operator enters it: whether the `echostr` of a
    /// signed `GET` came back, and nothing else.
    pub async fn check_callback(&self) -> Result<bool, Undelivered> {
        push::check(&self.world, self.inner()).await
    }

    /// The query of such a check, without sending it.
    pub fn check_query(&self, echostr: &str) -> Result<String, Undelivered> {
        push::check_query(&self.world, self.inner(), echostr)
    }

    /// Begins to push an event: up to three times, until it is answered with status 200 within 5 s.
    ///
    /// [`Sandbox::settled`](super::Sandbox::settled) waits for the end of it. Needs a tokio runtime.
    pub fn push(&self, event: Event) -> Result<PushId, Undelivered> {
        push::start(&self.world, self.inner(), &event).map(|(id, _)| id)
    }

    /// Pushes an event and tells how that went, once it is answered or given up.
    pub async fn deliver(&self, event: Event) -> Result<Push, Undelivered> {
        push::deliver(&self.world, self.inner(), &event).await
    }

    /// The event signed and encrypted, without sending it.
    pub fn envelope(&self, event: Event) -> Result<Envelope, Undelivered> {
        push::envelope(&self.world, self.inner(), &event)
    }

    /// Sends an envelope once, as it is.
    pub async fn post(&self, envelope: &Envelope) -> Result<Answer, Undelivered> {
        push::post(&self.world, self.inner(), envelope).await
    }
}
