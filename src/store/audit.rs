//! The audit trail: rows are inserted and never changed.

use super::sql::Sql;
use super::{Connection, Error};

/// An audited action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// An API key was created.
    KeyCreated,
    /// An API key was revoked.
    KeyRevoked,
    /// An API key was replaced by another.
    KeyRolled,
    /// An access token was read.
    TokenRead,
    /// An access token was refreshed on request.
    TokenRefreshed,
    /// A user was erased.
    PersonErased,
}

impl Action {
    /// The value in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeyCreated => "key.created",
            Self::KeyRevoked => "key.revoked",
            Self::KeyRolled => "key.rolled",
            Self::TokenRead => "token.read",
            Self::TokenRefreshed => "token.refreshed",
            Self::PersonErased => "person.erased",
        }
    }
}

/// Records an action at the current database time. `actor` is the public part of an API key, `cli`, or
/// another component; `subject` is an AppID, the public part of a key, or the digest of a user, never an
/// openid.
pub async fn record(
    connection: &impl Connection,
    actor: &str,
    action: Action,
    subject: Option<&str>,
    request_id: Option<&str>,
) -> Result<(), Error> {
    let mut sql = Sql::new(connection);
    let clock = sql.clock();
    sql.push("INSERT INTO audit (at, actor, action, subject, request_id) VALUES (");
    sql.push(clock).push(", ").bind(actor).push(", ").bind(action.as_str());
    sql.push(", ").bind(subject.map(str::to_owned));
    sql.push(", ").bind(request_id.map(str::to_owned)).push(")");
    connection.execute_raw(sql.into_statement()).await?;
    Ok(())
}
