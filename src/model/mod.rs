//! The data types of the service: identifiers, accounts, followers, sync runs, messages, API key
//! scopes.
//!
//! Plain data that only enforces its own rules. Knows nothing of WeChat's wire format, the database
//! or HTTP, so every other module may use it.

mod account;
mod follower;
mod ids;
mod message;
mod reason;
mod run;
mod scope;
mod string_enum;

pub use account::{AccountKind, UnclearAccount};
pub use follower::{Follower, Profile};
pub use ids::{AppId, InvalidId, MessageId, OpenId, TemplateId, UnionId};
pub use message::{Attempt, Channel, Consent, Content, Jump, MessageState, Text};
pub use reason::Reason;
pub use run::{Counts, Mode, Run, RunId, RunState, Trigger};
pub use scope::{Scope, UnknownScope};
