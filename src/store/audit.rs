//! What was done that somebody may have to account for; written, never changed.

use super::sql::Sql;
use super::{Connection, Error};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// An API key was made.
    KeyCreated,
    /// An API key was ended.
    KeyRevoked,
    /// An API key was replaced by another.
    KeyRolled,
    /// An access token was read.
    TokenRead,
    /// An access token was asked for anew.
    TokenRefreshed,
    /// A person was forgotten.
    PersonErased,
}

impl Action {
    /// Its word in the table.
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

/// Writes one line at the database's time. `actor` is an API key's public part, `cli`, or what else
/// acted; `subject` an AppID, a key's public part, or the digest of a person, never an openid.
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
