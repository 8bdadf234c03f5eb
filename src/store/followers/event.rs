//! What an event says of a follower, and when it may be believed.
//!
//! Events come late, twice and out of order. Between events WeChat's clock decides, to the second.
//! Between an event and a crawl it is when the event reached us: a page listed before that does not
//! overrule it. Where neither decides, nothing is changed and the caller asks WeChat.

use sea_orm::DbBackend;

use crate::model::OpenId;
use crate::store::sql::Sql;
use crate::store::{AccountId, Connection, Error};

/// Somebody followed or left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowEvent {
    /// Whether the person follows now.
    pub subscribed: bool,
    /// When, by WeChat's clock, in seconds since 1970.
    pub created_at: i64,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is the newest word about the person, and stands.
    Applied,
    /// A newer one stands, or the same.
    Stale,
    /// It contradicts what is as new: WeChat has to be asked.
    Doubtful,
}

/// A profile that is newer than an event by this much is the better word. WeChat repeats a callback
/// within seconds, and clocks differ.
const LATE_MS: i64 = 60_000;

/// Records an event that reached us at `received_at`, on the database's clock.
pub async fn record_event(
    connection: &impl Connection,
    account: AccountId,
    openid: &OpenId,
    event: FollowEvent,
    received_at: i64,
) -> Result<Recorded, Error> {
    insert_if_unknown(connection, account, openid, event, received_at).await?;
    let stored = find_for_update(connection, account, openid).await?;
    let recorded = stored.judge(event);
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
    fn judge(&self, event: FollowEvent) -> Recorded {
        if event.created_at < self.event_created_at {
            return Recorded::Stale;
        }
        let tie = event.created_at == self.event_created_at;
        match (tie, event.subscribed == self.subscribed) {
            (true, true) => Recorded::Stale,
            (true, false) => Recorded::Doubtful,
            _ if event.created_at * 1_000 + LATE_MS < self.profile_at => Recorded::Doubtful,
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
        // Ignored, the row that is there would be locked for reading by each of several events, who
        // would then wait for one another; so it is locked for writing at once.
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
    let row = row.ok_or_else(|| Error::unexpected("the follower just inserted is not there"))?;
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
    let left_at = (!event.subscribed).then_some(received_at);
    let mut sql = Sql::new(connection);
    sql.push("UPDATE follower SET subscribed = ").bind(event.subscribed);
    sql.push(", event_at = ").bind(received_at);
    sql.push(", event_created_at = ").bind(event.created_at);
    sql.push(", unfollowed_at = ").bind(left_at);
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

    fn judged(subscribed: bool, event_created_at: i64, profile_at: i64) -> Recorded {
        let stored = Stored { id: 1, subscribed, profile_at, event_created_at };
        stored.judge(FollowEvent { subscribed: true, created_at: 1_000 })
    }

    #[test]
    fn the_newest_event_stands() {
        assert_eq!(judged(false, 999, 0), Recorded::Applied);
        assert_eq!(judged(false, 1_001, 0), Recorded::Stale);
    }

    #[test]
    fn of_two_events_in_one_second_none_is_believed() {
        assert_eq!(judged(false, 1_000, 0), Recorded::Doubtful);
        assert_eq!(judged(true, 1_000, 0), Recorded::Stale);
    }

    #[test]
    fn an_event_long_before_the_profile_is_not_believed() {
        assert_eq!(judged(false, 0, 1_000_000 + LATE_MS), Recorded::Applied);
        assert_eq!(judged(false, 0, 1_000_001 + LATE_MS), Recorded::Doubtful);
    }
}
