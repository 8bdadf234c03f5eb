//! An account's callback, and pushes to it.

use super::Account;
use crate::sandbox::push::{self, Answer, Callback, Envelope, Event, InvalidCallback, Undelivered};
use crate::sandbox::world::{Push, PushId};

impl Account {
    /// Returns the original id, `gh_` and 12 hex digits. Pushes identify the account by it.
    pub fn original_id(&self) -> &str {
        &self.inner().original_id
    }

    /// Returns the callback that events are pushed to.
    pub fn callback(&self) -> Option<Callback> {
        self.inner().state().callback.clone()
    }

    /// Sets the callback; `None` stops pushes.
    pub fn set_callback(&self, callback: Option<Callback>) -> Result<(), InvalidCallback> {
        let (kind, appid) = (self.inner().kind, self.appid());
        let callback = callback.map(|callback| callback.for_account(kind, appid)).transpose()?;
        self.inner().change(|state| state.callback = callback);
        Ok(())
    }

    /// Changes the URL of the callback. An account without a callback gets one in safe mode, with a token and
    /// key derived from the world's seed.
    pub fn set_callback_url(&self, url: &str) -> Result<(), InvalidCallback> {
        let url = url.to_owned();
        let callback = self.callback();
        let callback =
            callback.unwrap_or_else(|| Callback::made("", self.world.seed(), self.appid()));
        self.set_callback(Some(Callback { url, ..callback }))
    }

    /// Checks the URL as WeChat does when an operator enters it: sends a signed `GET` and returns whether the
    /// response body is exactly the `echostr`.
    pub async fn check_callback(&self) -> Result<bool, Undelivered> {
        push::check(&self.world, self.inner()).await
    }

    /// Returns the query of a URL check with this `echostr`, without sending it.
    pub fn check_query(&self, echostr: &str) -> Result<String, Undelivered> {
        push::check_query(&self.world, self.inner(), echostr)
    }

    /// Starts to push an event. It is attempted up to three times, until the callback answers status 200
    /// within [`Options::push_timeout`](crate::sandbox::Options::push_timeout).
    ///
    /// [`Sandbox::settled`](super::Sandbox::settled) waits for the outcome. Needs a tokio runtime.
    pub fn push(&self, event: Event) -> Result<PushId, Undelivered> {
        push::start(&self.world, self.inner(), &event).map(|(id, _)| id)
    }

    /// Pushes an event, waits until it is accepted or has failed, and returns the push.
    pub async fn deliver(&self, event: Event) -> Result<Push, Undelivered> {
        push::deliver(&self.world, self.inner(), &event).await
    }

    /// Signs and encrypts an event without sending it.
    pub fn envelope(&self, event: Event) -> Result<Envelope, Undelivered> {
        push::envelope(&self.world, self.inner(), &event)
    }

    /// Sends an envelope once, unchanged.
    pub async fn post(&self, envelope: &Envelope) -> Result<Answer, Undelivered> {
        push::post(&self.world, self.inner(), envelope).await
    }
}
