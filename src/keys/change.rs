//! Lists, creates, revokes and rolls keys. Every change is recorded in the audit trail.

use std::time::Duration;

use super::{Error, IssuedKey, Key, Keyring, secret};
use crate::model::{AppId, Scope};
use crate::store::api_keys::{self, ApiKey};
use crate::store::{self, Connection, audit};

/// The parameters of a new key.
#[derive(Debug, Clone, Default)]
pub struct NewKey {
    /// The owner's name, 1 to 100 characters.
    pub name: String,
    /// The scopes that the key grants.
    pub scopes: Vec<Scope>,
    /// The accounts that the key may access; empty for all.
    pub appids: Vec<AppId>,
    /// The limit in requests per second; `None` for the configured limit.
    pub requests_per_second: Option<u32>,
    /// How long the key is valid; `None` for a key that never expires.
    pub life: Option<Duration>,
}

/// A rolled key and its successor.
#[derive(Debug)]
pub struct Rolled {
    /// The new key.
    pub new: IssuedKey,
    /// The old key, with its new expiry.
    pub old: Key,
}

impl NewKey {
    fn check(&self) -> Result<(), Error> {
        if self.name.trim().is_empty() || self.name.chars().count() > 100 {
            return Err(Error::Invalid("a key's name must have 1 to 100 characters"));
        }
        if self.name.chars().any(char::is_control) {
            return Err(Error::Invalid("a key's name must not contain control characters"));
        }
        if self.scopes.is_empty() {
            return Err(Error::Invalid("a key needs at least one scope"));
        }
        if !(1..=1_000_000).contains(&self.requests_per_second.unwrap_or(1)) {
            return Err(Error::Invalid("a key's limit must be 1 to 1000000 requests per second"));
        }
        if self.life.is_some_and(|life| life.is_zero() || life > MAX_LIFE) {
            return Err(Error::Invalid("a key must be valid for 1 day to 100 years"));
        }
        Ok(())
    }
}

/// The upper limit for lifetimes and overlaps. Much larger values would overflow dates.
const MAX_LIFE: Duration = Duration::from_secs(100 * 366 * 86_400);

impl Keyring {
    /// Returns all keys, including revoked and expired ones, the oldest first.
    pub async fn list(&self) -> Result<Vec<Key>, Error> {
        let rows = api_keys::list(self.store.reader()).await?;
        Ok(rows.into_iter().map(Key::from).collect())
    }

    /// Creates a key. `actor` identifies the requester in the audit trail.
    pub async fn create(&self, new: NewKey, actor: &str) -> Result<IssuedKey, Error> {
        new.check()?;
        let transaction = self.store.begin().await?;
        let now = store::now(&transaction).await?;
        let issued = insert(&transaction, row(&new, now)).await?;
        let id = Some(issued.key.id.as_str());
        audit::record(&transaction, actor, audit::Action::KeyCreated, id, None).await?;
        transaction.commit().await?;
        self.reload().await;
        Ok(issued)
    }

    /// Revokes a key with immediate effect. Revoking a revoked key changes nothing.
    pub async fn revoke(&self, id: &str, actor: &str) -> Result<Key, Error> {
        let transaction = self.store.begin().await?;
        let now = store::now(&transaction).await?;
        if api_keys::revoke(&transaction, id, now).await? {
            audit::record(&transaction, actor, audit::Action::KeyRevoked, Some(id), None).await?;
        }
        let key = find(&transaction, id).await?;
        transaction.commit().await?;
        self.reload().await;
        Ok(key.into())
    }

    /// Creates a successor of the key `id` with the same rights, owner and lifetime. The old key expires
    /// after `overlap`; until then both keys are valid.
    pub async fn roll(&self, id: &str, overlap: Duration, actor: &str) -> Result<Rolled, Error> {
        if overlap > MAX_LIFE {
            return Err(Error::Invalid("the overlap must be at most 100 years"));
        }
        let transaction = self.store.begin().await?;
        let now = store::now(&transaction).await?;
        let old = find(&transaction, id).await?;
        if old.revoked_at.is_some() || old.expires_at.is_some_and(|end| end <= now) {
            return Err(Error::Ended(id.to_owned()));
        }
        let expires_at = old.expires_at.map(|end| now + (end - old.created_at));
        let new = ApiKey { created_at: now, expires_at, last_used_at: None, ..old.clone() };
        let new = insert(&transaction, new).await?;
        let end = now + overlap.as_millis() as i64;
        let end = old.expires_at.map_or(end, |before| before.min(end));
        api_keys::expire(&transaction, id, end).await?;
        audit::record(&transaction, actor, audit::Action::KeyRolled, Some(id), None).await?;
        let created = Some(new.key.id.as_str());
        audit::record(&transaction, actor, audit::Action::KeyCreated, created, None).await?;
        transaction.commit().await?;
        self.reload().await;
        Ok(Rolled { new, old: ApiKey { expires_at: Some(end), ..old }.into() })
    }

    /// Makes a committed change take effect in this process at once. If this fails, the next regular
    /// reload picks up the change.
    async fn reload(&self) {
        if let Err(error) = self.load().await {
            tracing::debug!(%error, "could not reload the API keys after a change");
        }
    }
}

async fn find(connection: &impl Connection, id: &str) -> Result<ApiKey, Error> {
    let found = api_keys::find(connection, id).await?;
    found.ok_or_else(|| Error::NoSuchKey(id.chars().take(40).collect()))
}

/// Returns a row without public part, owner and digest, which [`insert`] fills in.
fn row(new: &NewKey, now: i64) -> ApiKey {
    let scopes: Vec<_> =
        Scope::ALL.into_iter().filter(|scope| new.scopes.contains(scope)).collect();
    ApiKey {
        id: String::new(),
        owner: String::new(),
        name: new.name.trim().to_owned(),
        secret_hash: String::new(),
        scopes: joined(scopes.iter().map(|scope| scope.as_str())),
        appids: Some(joined(new.appids.iter().map(AppId::as_str))).filter(|list| !list.is_empty()),
        requests_per_second: new.requests_per_second.map(|limit| limit as i32),
        created_at: now,
        expires_at: new.life.map(|life| now + life.as_millis() as i64),
        revoked_at: None,
        last_used_at: None,
    }
}

/// Generates the row's public part and secret, and stores the row.
async fn insert(connection: &impl Connection, row: ApiKey) -> Result<IssuedKey, Error> {
    let generated = secret::generate();
    // A key that replaces no other key is its own owner.
    let owner = if row.owner.is_empty() { generated.id.clone() } else { row.owner };
    let secret_hash = hex::encode(generated.digest);
    let row = ApiKey { id: generated.id, owner, secret_hash, ..row };
    api_keys::insert(connection, row.clone()).await?;
    Ok(IssuedKey { key: row.into(), text: generated.text })
}

fn joined<'a>(values: impl Iterator<Item = &'a str>) -> String {
    values.collect::<Vec<_>>().join(",")
}
