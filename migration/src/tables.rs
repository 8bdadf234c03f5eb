//! Making and dropping tables and indexes so that every step may be repeated.

use sea_orm_migration::prelude::*;

/// Table, name and statement of an index.
pub(crate) struct Index(&'static str, &'static str, IndexCreateStatement);

/// A table that is made where there is none.
pub(crate) fn table(name: &'static str) -> TableCreateStatement {
    Table::create().table(name).if_not_exists().to_owned()
}

/// An index of `table` over `columns`.
pub(crate) fn index(table: &'static str, name: &'static str, columns: &[&'static str]) -> Index {
    let mut statement = sea_query::Index::create();
    statement.name(name).table(table);
    for column in columns {
        statement.col(*column);
    }
    Index(table, name, statement)
}

/// The same with further columns beside, for PostgreSQL: who asks for no others is answered from the index.
pub(crate) fn covering(index: Index, beside: &[&'static str]) -> Index {
    let Index(table, name, mut statement) = index;
    for column in beside {
        statement.include(*column);
    }
    Index(table, name, statement)
}

/// The same, over the rows alone of which `column` is not null; MySQL and MariaDB know no such index.
pub(crate) fn where_set(index: Index, column: &'static str) -> Index {
    let Index(table, name, mut statement) = index;
    Index(table, name, statement.and_where(Expr::col(column).is_not_null()).take())
}

/// The same, over columns that no two rows share.
pub(crate) fn unique(table: &'static str, name: &'static str, columns: &[&'static str]) -> Index {
    let Index(table, name, mut statement) = index(table, name, columns);
    Index(table, name, statement.unique().take())
}

/// Makes the indexes that are not there.
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

/// Drops the tables that are there, the last first.
pub(crate) async fn drop_tables(
    manager: &SchemaManager<'_>,
    names: &[&'static str],
) -> Result<(), DbErr> {
    for name in names.iter().rev() {
        manager.drop_table(Table::drop().table(*name).if_exists().to_owned()).await?;
    }
    Ok(())
}
