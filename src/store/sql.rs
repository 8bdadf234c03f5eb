//! A builder for SQL text, for statements that must be fast or that SeaORM's builder cannot express.
//!
//! A statement has the same text each time, so that the driver keeps it prepared.

use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use super::{Connection, Error};

/// A statement under construction: text, and the values for its placeholders.
pub(super) struct Sql {
    backend: DbBackend,
    text: String,
    values: Vec<Value>,
}

impl Sql {
    pub(super) fn new(connection: &impl ConnectionTrait) -> Self {
        Self { backend: connection.get_database_backend(), text: String::new(), values: Vec::new() }
    }

    /// Reserves capacity for a statement with many values.
    pub(super) fn reserve(&mut self, text_bytes: usize, values: usize) -> &mut Self {
        self.text.reserve(text_bytes);
        self.values.reserve(values);
        self
    }

    pub(super) fn backend(&self) -> DbBackend {
        self.backend
    }

    /// Appends SQL text. Must never contain external input.
    pub(super) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends a placeholder for `value`.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        if self.backend == DbBackend::Postgres {
            self.text.push('$');
            self.text.push_str(&self.values.len().to_string());
        } else {
            self.text.push('?');
        }
        self
    }

    /// Appends `(?, ?, …)`.
    pub(super) fn bind_list<V: Into<Value>>(
        &mut self,
        values: impl IntoIterator<Item = V>,
    ) -> &mut Self {
        self.text.push('(');
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            self.bind(value);
        }
        self.text.push(')');
        self
    }

    /// Appends a list for `IN`, where duplicate values are harmless. Repeats values up to the next power of
    /// two, so that lists of all lengths share a few prepared statements.
    pub(super) fn bind_set<V: Into<Value>>(
        &mut self,
        values: impl ExactSizeIterator<Item = V> + Clone,
    ) -> &mut Self {
        let count = values.len().next_power_of_two();
        self.bind_list(values.cycle().take(count))
    }

    /// Begins an insert that skips rows whose key already exists; [`Sql::or_ignore`] ends it.
    pub(super) fn insert_new(&mut self, into: &str) -> &mut Self {
        let insert = match self.backend {
            DbBackend::MySql => "INSERT IGNORE INTO ",
            _ => "INSERT INTO ",
        };
        self.push(insert).push(into)
    }

    /// Ends an insert that [`Sql::insert_new`] began.
    pub(super) fn or_ignore(&mut self) -> &mut Self {
        match self.backend {
            DbBackend::MySql => self,
            _ => self.push(" ON CONFLICT DO NOTHING"),
        }
    }

    /// Prevents SQLite from using an index on the column that follows. The servers choose good plans
    /// without it.
    pub(super) fn skip_index(&mut self) -> &mut Self {
        match self.backend {
            DbBackend::Sqlite => self.push("+"),
            _ => self,
        }
    }

    /// Locks the selected rows until the transaction ends. Not needed on SQLite, which has one writer.
    pub(super) fn for_update(&mut self) -> &mut Self {
        match self.backend {
            DbBackend::Sqlite => self,
            _ => self.push(" FOR UPDATE"),
        }
    }

    /// Locks the selected rows against changes until the transaction ends. Several transactions may hold
    /// this lock at once.
    pub(super) fn for_share(&mut self) -> &mut Self {
        match self.backend {
            DbBackend::MySql => self.push(" LOCK IN SHARE MODE"),
            // Keys never change, and this weaker lock does not block plain updates of the row.
            DbBackend::Postgres => self.push(" FOR KEY SHARE"),
            _ => self,
        }
    }

    /// SQL for the database time in ms since 1970.
    pub(super) fn clock(&self) -> &'static str {
        match self.backend {
            DbBackend::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
            DbBackend::MySql => "CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)",
            _ => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
        }
    }

    /// The maximum number of values that one statement can bind on this database.
    pub(super) fn bind_limit(connection: &impl ConnectionTrait) -> usize {
        match connection.get_database_backend() {
            DbBackend::Postgres | DbBackend::MySql => 65_535,
            _ => 32_766,
        }
    }

    pub(super) fn into_statement(self) -> Statement {
        Statement::from_sql_and_values(self.backend, self.text, self.values)
    }
}

/// Deletes up to `limit` rows of `table` whose `column` is below `bound`, and returns their number. `key`
/// lists the columns of the table's primary key.
pub(super) async fn delete_below(
    connection: &impl Connection,
    table: &str,
    key: &str,
    column: &str,
    bound: impl Into<Value>,
    limit: u64,
) -> Result<u64, Error> {
    let mut sql = Sql::new(connection);
    sql.push("DELETE FROM ").push(table).push(" WHERE ");
    // MySQL supports no LIMIT within IN, and the others no LIMIT on DELETE.
    if sql.backend() == DbBackend::MySql {
        sql.push(column).push(" < ").bind(bound).push(" LIMIT ").bind(limit.cast_signed());
    } else {
        sql.push("(").push(key).push(") IN (SELECT ").push(key).push(" FROM ").push(table);
        sql.push(" WHERE ").push(column).push(" < ").bind(bound);
        sql.push(" LIMIT ").bind(limit.cast_signed()).push(")");
    }
    Ok(connection.execute_raw(sql.into_statement()).await?.rows_affected())
}
