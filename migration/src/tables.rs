//! Creates and drops tables and indexes in repeatable steps.

use sea_orm_migration::prelude::*;

/// The table, name and statement of an index.
pub(crate) struct Index(&'static str, &'static str, IndexCreateStatement);

/// Returns a statement that creates a table if it does not exist.
pub(crate) fn table(name: &'static str) -> TableCreateStatement {
    Table::create().table(name).if_not_exists().to_owned()
}

/// Returns an index of `table` over `columns`.
pub(crate) fn index(table: &'static str, name: &'static str, columns: &[&'static str]) -> Index {
    let mut statement = sea_query::Index::create();
    statement.name(name).table(table);
    for column in columns {
        statement.col(*column);
    }
    Index(table, name, statement)
}

/// Adds included columns to an index on PostgreSQL, which can answer queries of these columns from the index
/// alone.
pub(crate) fn covering(index: Index, included: &[&'static str]) -> Index {
    let Index(table, name, mut statement) = index;
    for column in included {
        statement.include(*column);
    }
    Index(table, name, statement)
}

/// Restricts an index to rows in which `column` is not null. MySQL and MariaDB do not support this.
pub(crate) fn where_set(index: Index, column: &'static str) -> Index {
    let Index(table, name, mut statement) = index;
    Index(table, name, statement.and_where(Expr::col(column).is_not_null()).take())
}

/// Like [`index`], with unique values.
pub(crate) fn unique(table: &'static str, name: &'static str, columns: &[&'static str]) -> Index {
    let Index(table, name, mut statement) = index(table, name, columns);
    Index(table, name, statement.unique().take())
}

/// Creates the indexes that do not exist.
pub(crate) async fn create_indexes(
    manager: &SchemaManager<'_>,
    indexes: impl IntoIterator<Item = Index>,
) -> Result<(), DbErr> {
    for Index(table, name, statement) in indexes {
        if !manager.has_index(table, name).await? {
            manager.create_index(statement).await?;
        }
    }
    Ok(())
}

/// Drops the tables that exist, in reverse order.
pub(crate) async fn drop_tables(
    manager: &SchemaManager<'_>,
    names: &[&'static str],
) -> Result<(), DbErr> {
    for name in names.iter().rev() {
        manager.drop_table(Table::drop().table(*name).if_exists().to_owned()).await?;
    }
    Ok(())
}
