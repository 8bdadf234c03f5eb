//! Follow and unfollow events, and the rules for when an event is applied.
//!
//! Events arrive late, twice and out of order. The later of two events, by WeChat's clock in seconds, is
//! applied. Between an event and a crawl the time of receipt decides: a page that was listed before the
//! event arrived does not overwrite it. If neither rule decides, nothing changes and the caller requests
//! the profile from WeChat.

use sea_orm::DbBackend;

use crate::model::OpenId;
use crate::store::sql::Sql;
use crate::store::{AccountId, Connection, Error};

/// A user followed or unfollowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowEvent {
    /// Whether the user follows after the event.
    pub subscribed: bool,
    /// The time of the event by WeChat's clock, in seconds since 1970.
    pub created_at: i64,
}

/// The outcome of recording an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// The event was the newest information about the user and was applied.
    Applied,
    /// The same event or a newer one was applied before.
    Stale,
    /// The event contradicts information that is equally new. The caller must query WeChat.
    Contradictory,
}

/// An event that is older than the stored profile by more than this many ms is not applied. The margin
/// covers clock differences and late events; WeChat repeats a callback within seconds.
const PROFILE_MARGIN_MS: i64 = 60_000;

/// Records an event that arrived at `received_at` (ms, in database time).
pub async fn record_event(
    connection: &impl Connection,
    account: AccountId,
    openid: &OpenId,
    event: FollowEvent,
    received_at: i64,
) -> Result<Recorded, Error> {
    insert_if_unknown(connection, account, openid, event, received_at).await?;
    let stored = find_for_update(connection, account, openid).await?;
    let recorded = stored.evaluate(event);
    if recorded == Recorded::Applied {
        apply(connection, stored.id, event, received_at).await?;
    }
    Ok(recorded)
}

struct Stored {
    id: i64,
    subscribed: bool,
    profile_at: i64,
    event_created_at: i64,
}

impl Stored {
    fn evaluate(&self, event: FollowEvent) -> Recorded {
        if event.created_at < self.event_created_at {
            return Recorded::Stale;
        }
        let is_same_second = event.created_at == self.event_created_at;
        match (is_same_second, event.subscribed == self.subscribed) {
            (true, true) => Recorded::Stale,
            (true, false) => Recorded::Contradictory,
            _ if event.created_at * 1_000 + PROFILE_MARGIN_MS < self.profile_at => {
                Recorded::Contradictory
            }
            _ => Recorded::Applied,
        }
    }
}

async fn insert_if_unknown(
    connection: &impl Connection,
    account: AccountId,
    openid: &OpenId,
    event: FollowEvent,
    received_at: i64,
) -> Result<(), Error> {
    let mut sql = Sql::new(connection);
    sql.push("INSERT INTO follower ");
    sql.push("(account_id, openid, subscribed, digest, profile_at, created_at)");
    sql.push(" VALUES (").bind(account).push(", ").bind(openid.as_str());
    sql.push(", ").bind(event.subscribed).push(", 0, 0, ").bind(received_at).push(")");
    sql.push(match sql.backend() {
        // INSERT IGNORE would take a read lock on an existing row. Concurrent events would each hold one
        // and deadlock, so this takes the write lock immediately.
        DbBackend::MySql => " ON DUPLICATE KEY UPDATE id = id",
        _ => " ON CONFLICT DO NOTHING",
    });
    connection.execute_raw(sql.into_statement()).await?;
    Ok(())
}

async fn find_for_update(
    connection: &impl Connection,
    account: AccountId,
    openid: &OpenId,
) -> Result<Stored, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT id, subscribed, profile_at, event_created_at FROM follower");
    sql.push(" WHERE account_id = ").bind(account).push(" AND openid = ").bind(openid.as_str());
    sql.for_update();
    let row = connection.query_one_raw(sql.into_statement()).await?;
    let row = row.ok_or_else(|| Error::unexpected("the inserted follower was not found"))?;
    Ok(Stored {
        id: row.try_get_by_index(0)?,
        subscribed: row.try_get_by_index(1)?,
        profile_at: row.try_get_by_index(2)?,
        event_created_at: row.try_get_by_index(3)?,
    })
}

async fn apply(
    connection: &impl Connection,
    id: i64,
    event: FollowEvent,
    received_at: i64,
) -> Result<(), Error> {
    let unfollowed_at = (!event.subscribed).then_some(received_at);
    let mut sql = Sql::new(connection);
    sql.push("UPDATE follower SET subscribed = ").bind(event.subscribed);
    sql.push(", event_at = ").bind(received_at);
    sql.push(", event_created_at = ").bind(event.created_at);
    sql.push(", unfollowed_at = ").bind(unfollowed_at);
    if event.subscribed {
        sql.push(", subscribed_at = ").bind(event.created_at);
    }
    sql.push(" WHERE id = ").bind(id);
    connection.execute_raw(sql.into_statement()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluate(subscribed: bool, event_created_at: i64, profile_at: i64) -> Recorded {
        let stored = Stored { id: 1, subscribed, profile_at, event_created_at };
        stored.evaluate(FollowEvent { subscribed: true, created_at: 1_000 })
    }

    #[test]
    fn the_newest_event_wins() {
        assert_eq!(evaluate(false, 999, 0), Recorded::Applied);
        assert_eq!(evaluate(false, 1_001, 0), Recorded::Stale);
    }

    #[test]
    fn two_different_events_in_one_second_are_contradictory() {
        assert_eq!(evaluate(false, 1_000, 0), Recorded::Contradictory);
        assert_eq!(evaluate(true, 1_000, 0), Recorded::Stale);
    }

    #[test]
    fn an_event_long_before_the_profile_is_contradictory() {
        assert_eq!(evaluate(false, 0, 1_000_000 + PROFILE_MARGIN_MS), Recorded::Applied);
        assert_eq!(evaluate(false, 0, 1_000_001 + PROFILE_MARGIN_MS), Recorded::Contradictory);
    }
}
