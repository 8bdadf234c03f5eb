//! The nouns of the service: identifiers, accounts, followers, sync runs, messages, scopes of API keys.
//!
//! Plain data with no behaviour beyond their own rules. Knows nothing of WeChat's wire format,
//! of the database or of HTTP, so every other module may use it.

mod account;
mod follower;
mod ids;
mod message;
mod reason;
mod run;
mod scope;
mod word;

pub use account::{AccountKind, UnclearAccount};
pub use follower::{Follower, Profile};
pub use ids::{AppId, InvalidId, MessageId, OpenId, TemplateId, UnionId};
pub use message::{Attempt, Channel, Consent, Content, Jump, MessageState, Text};
pub use reason::Reason;
pub use run::{Counts, Mode, Run, RunId, RunState, Trigger};
pub use scope::{Scope, UnknownScope};
