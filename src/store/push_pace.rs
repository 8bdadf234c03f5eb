//! The sending pace of each account, shared by all processes, and holds on sending.

use entity::push_pace::Entity;
use sea_orm::EntityTrait;

use super::sql::Sql;
use super::{AccountId, Connection, Error, Transaction};

/// The sending pace of an account. All times are in ms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pace {
    /// When the next message may be sent.
    pub next_at: i64,
    /// Until when sending is on hold; 0 if it is not. After that time, one test message is sent to find out
    /// whether WeChat accepts messages again.
    pub held_until: i64,
    /// Why sending is on hold.
    pub held_reason: Option<String>,
    /// When a test message last showed that a hold is over; 0 for never.
    pub passed_at: i64,
}

/// Inserts the account's row if it does not exist.
pub async fn ensure(connection: &impl Connection, account: AccountId) -> Result<(), Error> {
    let mut sql = Sql::new(connection);
    sql.insert_new("push_pace (account_id, next_at, held_until)");
    sql.push(" VALUES (").bind(account).push(", 0, 0)").or_ignore();
    connection.execute_raw(sql.into_statement()).await?;
    Ok(())
}

/// Reads and locks the account's row until the transaction ends. A transaction that also writes messages of
/// the account must call this first, to avoid deadlocks.
pub async fn lock(transaction: &Transaction, account: AccountId) -> Result<Pace, Error> {
    let mut sql = Sql::new(transaction);
    sql.push(
        "SELECT next_at, held_until, held_reason, passed_at FROM push_pace WHERE account_id = ",
    );
    sql.bind(account).for_update();
    let row = transaction.query_one_raw(sql.into_statement()).await?;
    let row = row.ok_or_else(|| Error::unexpected("an account has no row in push_pace"))?;
    Ok(Pace {
        next_at: row.try_get_by_index(0)?,
        held_until: row.try_get_by_index(1)?,
        held_reason: row.try_get_by_index(2)?,
        passed_at: row.try_get_by_index(3)?,
    })
}

/// Writes the account's row, after [`lock`] in the same transaction.
pub async fn save(transaction: &Transaction, account: AccountId, pace: &Pace) -> Result<(), Error> {
    let Pace { next_at, held_until, held_reason, passed_at } = pace;
    let mut sql = Sql::new(transaction);
    sql.push("UPDATE push_pace SET next_at = ").bind(*next_at);
    sql.push(", held_until = ").bind(*held_until);
    sql.push(", held_reason = ").bind(held_reason.as_deref());
    sql.push(", passed_at = ").bind(*passed_at);
    sql.push(" WHERE account_id = ").bind(account);
    transaction.execute_raw(sql.into_statement()).await?;
    Ok(())
}

/// The account's pace, if it ever sent a message.
pub async fn find(connection: &impl Connection, account: AccountId) -> Result<Option<Pace>, Error> {
    let row = Entity::find_by_id(account).one(connection).await?;
    Ok(row.map(|row| Pace {
        next_at: row.next_at,
        held_until: row.held_until,
        held_reason: row.held_reason,
        passed_at: row.passed_at,
    }))
}
