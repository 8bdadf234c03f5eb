//! How far each account has got with sending, for all processes together, and what holds it up.

use entity::push_pace::Entity;
use sea_orm::EntityTrait;

use super::sql::Sql;
use super::{AccountId, Connection, Error, Transaction};

/// How far an account has got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pace {
    /// When its next message may leave.
    pub next_at: i64,
    /// Until when nothing leaves. Over, and not 0: one message goes ahead to see whether it is.
    pub held_until: i64,
    /// Why, in words.
    pub held_reason: Option<String>,
    /// When a message that went ahead last showed that it is over; 0 for never.
    pub passed_at: i64,
}

/// Makes the account's row where it has none.
pub async fn ensure(connection: &impl Connection, account: AccountId) -> Result<(), Error> {
    let mut sql = Sql::new(connection);
    sql.insert_new("push_pace (account_id, next_at, held_until)");
    sql.push(" VALUES (").bind(account).push(", 0, 0)").or_nothing();
    connection.execute_raw(sql.into_statement()).await?;
    Ok(())
}

/// The account's row, which nobody else gets until the transaction ends. Whoever also writes messages
/// of the account takes it first, so that no two transactions wait for each other.
pub async fn lock(transaction: &Transaction, account: AccountId) -> Result<Pace, Error> {
    let mut sql = Sql::new(transaction);
    sql.push(
        "SELECT next_at, held_until, held_reason, passed_at FROM push_pace WHERE account_id = ",
    );
    sql.bind(account).for_update();
    let row = transaction.query_one_raw(sql.into_statement()).await?;
    let row = row.ok_or_else(|| Error::unexpected("an account that sends has no pace"))?;
    Ok(Pace {
        next_at: row.try_get_by_index(0)?,
        held_until: row.try_get_by_index(1)?,
        held_reason: row.try_get_by_index(2)?,
        passed_at: row.try_get_by_index(3)?,
    })
}

/// Writes what [`lock`] gave back, changed.
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

/// How far the account has got, if it ever sent.
pub async fn find(connection: &impl Connection, account: AccountId) -> Result<Option<Pace>, Error> {
    let row = Entity::find_by_id(account).one(connection).await?;
    Ok(row.map(|row| Pace {
        next_at: row.next_at,
        held_until: row.held_until,
        held_reason: row.held_reason,
        passed_at: row.passed_at,
    }))
}
