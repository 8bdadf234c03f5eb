//! Users' consent to templates: the latest decision of each user for each template.

use std::collections::HashMap;

use entity::consent::{Column, Entity};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder};

use super::sql::Sql;
use super::{AccountId, Connection, Error, parsed};
use crate::model::{Consent, OpenId, TemplateId};

const IDS_PER_STATEMENT: usize = 1_000;

/// A user's decision about a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentRecord {
    /// The template.
    pub template_id: TemplateId,
    /// The decision.
    pub consent: Consent,
    /// The time of the decision, in ms.
    pub changed_at: i64,
}

/// Records a user's decision, unless a later one is known.
pub async fn record(
    connection: &impl Connection,
    account: AccountId,
    openid: &OpenId,
    record: &ConsentRecord,
) -> Result<(), Error> {
    let ConsentRecord { template_id, consent, changed_at } = record;
    let mut sql = Sql::new(connection);
    sql.push("INSERT INTO consent (account_id, openid, template_id, status, changed_at) VALUES (");
    sql.bind(account).push(", ").bind(openid.as_str()).push(", ").bind(template_id.as_str());
    sql.push(", ").bind(consent.as_str()).push(", ").bind(*changed_at).push(")");
    sql.push(match sql.backend() {
        // MySQL assigns columns in order: changed_at last, since status depends on its old value.
        DbBackend::MySql => {
            " ON DUPLICATE KEY UPDATE \
             status = IF(changed_at <= VALUES(changed_at), VALUES(status), status), \
             changed_at = GREATEST(changed_at, VALUES(changed_at))"
        }
        _ => {
            " ON CONFLICT (account_id, openid, template_id) DO UPDATE SET \
             status = excluded.status, changed_at = excluded.changed_at \
             WHERE consent.changed_at <= excluded.changed_at"
        }
    });
    connection.execute_raw(sql.into_statement()).await?;
    Ok(())
}

/// Returns the decisions of these users about one template. Omits users without a decision.
pub async fn list_by_openids(
    connection: &impl Connection,
    account: AccountId,
    template_id: &TemplateId,
    openids: &[&OpenId],
) -> Result<HashMap<OpenId, ConsentRecord>, Error> {
    let mut found = HashMap::new();
    for chunk in openids.chunks(IDS_PER_STATEMENT) {
        let mut sql = Sql::new(connection);
        sql.push("SELECT openid, status, changed_at FROM consent WHERE account_id = ");
        sql.bind(account).push(" AND template_id = ").bind(template_id.as_str());
        sql.push(" AND openid IN ").bind_set(chunk.iter().map(|openid| openid.as_str()));
        for row in connection.query_all_raw(sql.into_statement()).await? {
            let consent = consent(&row.try_get_by_index::<String>(1)?)?;
            let changed_at = row.try_get_by_index(2)?;
            let record = ConsentRecord { template_id: template_id.clone(), consent, changed_at };
            found.insert(parsed(row.try_get_by_index(0)?)?, record);
        }
    }
    Ok(found)
}

/// Returns all decisions of one user in one account, ordered by template id.
pub async fn list(
    connection: &impl Connection,
    account: AccountId,
    openid: &OpenId,
) -> Result<Vec<ConsentRecord>, Error> {
    let rows = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::Openid.eq(openid.as_str()))
        .order_by_asc(Column::TemplateId)
        .all(connection)
        .await?;
    let record = |row: entity::consent::Model| {
        Ok(ConsentRecord {
            template_id: parsed(row.template_id)?,
            consent: consent(&row.status)?,
            changed_at: row.changed_at,
        })
    };
    rows.into_iter().map(record).collect()
}

fn consent(status: &str) -> Result<Consent, Error> {
    let unknown = || Error::unexpected("a consent in the database has an unknown status");
    Consent::from_code(status).ok_or_else(unknown)
}
