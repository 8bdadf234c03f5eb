//! Stopped templates: WeChat currently rejects messages with them, although it accepts other templates.

use entity::template_stop::{Column, Entity};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter};

use super::sql::Sql;
use super::{AccountId, Connection, Error, parsed};
use crate::model::TemplateId;

/// A stopped template. All times are in ms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The template.
    pub template_id: TemplateId,
    /// Until when no message with the template is sent. After that time, one test message is sent to find
    /// out whether WeChat accepts the template again.
    pub until_at: i64,
    /// Until when the outcome of the test message is awaited; 0 if there is none.
    pub tested_until: i64,
    /// WeChat's error code.
    pub errcode: i64,
    /// WeChat's error message.
    pub reason: String,
}

/// Returns the templates of the account that were stopped and not accepted since. Untested stops are deleted
/// a day after their end.
pub async fn list(connection: &impl Connection, account: AccountId) -> Result<Vec<Stop>, Error> {
    let rows = Entity::find().filter(Column::AccountId.eq(account)).all(connection).await?;
    let stop = |row: entity::template_stop::Model| {
        Ok(Stop {
            template_id: parsed(row.template_id)?,
            until_at: row.until_at,
            tested_until: row.tested_until,
            errcode: row.errcode,
            reason: row.reason,
        })
    };
    rows.into_iter().map(stop).collect()
}

/// Stops a template, or updates its stop.
pub async fn upsert(
    connection: &impl Connection,
    account: AccountId,
    stop: &Stop,
) -> Result<(), Error> {
    let Stop { template_id, until_at, tested_until, errcode, reason } = stop;
    let mut sql = Sql::new(connection);
    sql.push("INSERT INTO template_stop ");
    sql.push("(account_id, template_id, until_at, tested_until, errcode, reason)");
    sql.push(" VALUES (").bind(account).push(", ").bind(template_id.as_str());
    sql.push(", ").bind(*until_at).push(", ").bind(*tested_until).push(", ").bind(*errcode);
    sql.push(", ").bind(reason.as_str()).push(")");
    sql.push(match sql.backend() {
        DbBackend::MySql => {
            " ON DUPLICATE KEY UPDATE until_at = VALUES(until_at), \
             tested_until = VALUES(tested_until), errcode = VALUES(errcode), \
             reason = VALUES(reason)"
        }
        _ => {
            " ON CONFLICT (account_id, template_id) DO UPDATE SET until_at = excluded.until_at, \
             tested_until = excluded.tested_until, errcode = excluded.errcode, reason = excluded.reason"
        }
    });
    connection.execute_raw(sql.into_statement()).await?;
    Ok(())
}

/// Ends the test of a template without a result, so that another test message may be sent.
pub async fn end_test(
    connection: &impl Connection,
    account: AccountId,
    template_id: &TemplateId,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::TestedUntil, 0.into())
        .filter(Column::AccountId.eq(account))
        .filter(Column::TemplateId.eq(template_id.as_str()))
        .exec(connection)
        .await?;
    Ok(())
}

/// Ends the stop of a template.
pub async fn delete(
    connection: &impl Connection,
    account: AccountId,
    template_id: &TemplateId,
) -> Result<(), Error> {
    Entity::delete_by_id((account, template_id.to_string())).exec(connection).await?;
    Ok(())
}

/// Deletes stops that ended before `at` (ms) and have not been tested since. Returns their number.
pub async fn delete_before(connection: &impl Connection, at: i64) -> Result<u64, Error> {
    let deleted = Entity::delete_many()
        .filter(Column::UntilAt.lt(at))
        .filter(Column::TestedUntil.lt(at))
        .exec(connection)
        .await?;
    Ok(deleted.rows_affected)
}
