//! Making, listing, ending and replacing keys, each change with its line in the audit trail.

use std::time::Duration;

use super::{Error, IssuedKey, Key, Keyring, secret};
use crate::model::{AppId, Scope};
use crate::store::api_keys::{self, ApiKey};
use crate::store::{self, Connection, audit};

/// What a new key is to be.
#[derive(Debug, Clone, Default)]
pub struct NewKey {
    /// What its owner is called, 1 to 100 characters.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The accounts it may name; all where there is none.
    pub appids: Vec<AppId>,
    /// Requests a second; the configured limit where there is none.
    pub requests_per_second: Option<u32>,
    /// For how long it is good; without end where it is not said.
    pub life: Option<Duration>,
}

/// A key that took another's place.
#[derive(Debug)]
pub struct Rolled {
    /// The new key.
    pub new: IssuedKey,
    /// The one before, with when it ends.
    pub old: Key,
}

impl NewKey {
    fn check(&self) -> Result<(), Error> {
        if self.name.trim().is_empty() || self.name.chars().count() > 100 {
            return Err(Error::Invalid("a key's name has 1 to 100 characters"));
        }
        if self.name.chars().any(char::is_control) {
            return Err(Error::Invalid("a key's name has no control characters"));
        }
        if self.scopes.is_empty() {
            return Err(Error::Invalid("a key without a scope may do nothing"));
        }
        if !(1..=1_000_000).contains(&self.requests_per_second.unwrap_or(1)) {
            return Err(Error::Invalid("a key's limit is 1 to 1000000 requests a second"));
        }
        if self.life.is_some_and(|life| life.is_zero() || life > LONGEST) {
            return Err(Error::Invalid("a key lives for 1 day to 100 years"));
        }
        Ok(())
    }
}

/// Nobody means more, and an instant far off is no instant any more.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 86_400);

impl Keyring {
    /// Every key there ever was, the oldest first.
    pub async fn list(&self) -> Result<Vec<Key>, Error> {
        let rows = api_keys::list(self.store.reader()).await?;
        Ok(rows.into_iter().map(Key::from).collect())
    }

    /// Makes a key. `actor` is who asked, for the audit trail.
    pub async fn create(&self, new: NewKey, actor: &str) -> Result<IssuedKey, Error> {
        new.check()?;
        let transaction = self.store.begin().await?;
        let now = store::now(&transaction).await?;
        let issued = insert(&transaction, row(&new, now)).await?;
        let id = Some(issued.key.id.as_str());
        audit::record(&transaction, actor, audit::Action::KeyCreated, id, None).await?;
        transaction.commit().await?;
        self.load_again().await;
        Ok(issued)
    }

    /// Ends a key at once and for good. Done twice it changes nothing.
    pub async fn revoke(&self, id: &str, actor: &str) -> Result<Key, Error> {
        let transaction = self.store.begin().await?;
        let now = store::now(&transaction).await?;
        if api_keys::revoke(&transaction, id, now).await? {
            audit::record(&transaction, actor, audit::Action::KeyRevoked, Some(id), None).await?;
        }
        let key = find(&transaction, id).await?;
        transaction.commit().await?;
        self.load_again().await;
        Ok(key.into())
    }

    /// Makes a key that may do what `id` may, is the same owner's and lives as long as it was to live, and
    /// has `id` end after `overlap`, in which both are good.
    pub async fn roll(&self, id: &str, overlap: Duration, actor: &str) -> Result<Rolled, Error> {
        if overlap > LONGEST {
            return Err(Error::Invalid("the overlap is at most 100 years"));
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
        self.load_again().await;
        Ok(Rolled { new, old: ApiKey { expires_at: Some(end), ..old }.into() })
    }

    /// Has a change count in this process at once. It is committed whatever happens here, and the
    /// next reading finds it.
    async fn load_again(&self) {
        if let Err(error) = self.load().await {
            tracing::debug!(%error, "could not read the API keys after a change");
        }
    }
}

async fn find(connection: &impl Connection, id: &str) -> Result<ApiKey, Error> {
    let found = api_keys::find(connection, id).await?;
    found.ok_or_else(|| Error::NoSuchKey(id.chars().take(40).collect()))
}

/// A row without its public part, its owner and its digest.
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

/// Draws a secret for the row and stores it.
async fn insert(connection: &impl Connection, row: ApiKey) -> Result<IssuedKey, Error> {
    let drawn = secret::draw();
    // One that takes no other's place is the first of its own.
    let owner = if row.owner.is_empty() { drawn.id.clone() } else { row.owner };
    let row = ApiKey { id: drawn.id, owner, secret_hash: hex::encode(drawn.digest), ..row };
    api_keys::insert(connection, row.clone()).await?;
    Ok(IssuedKey { key: row.into(), text: drawn.text })
}

fn joined<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(",")
}
