//! INSERT, UPDATE, DELETE and TRUNCATE; MERGE is next door.

use sqlparser::ast::{
    AssignmentTarget, Delete, FromTable, Insert, ObjectName, TableFactor, TableObject, TableWithJoins, Truncate, Update,
};

use crate::workspace::catalog;
use crate::workspace::lock;

use super::compile::{Compiled, Compiler, Readable, Relation, Scope, Typed, identifier};
use super::engine::{Table, Work};
use super::error::SqlError;
use super::parse::parts;
use super::relation::Ctes;
use super::rewrite::Inserting;
use super::types::Column;

impl Work<'_> {
    pub(crate) fn insert(&self, insert: &Insert, inserting: &Inserting) -> Result<Table, SqlError> {
        if insert.or.is_some()
            || insert.partitioned.is_some()
            || insert.on.is_some()
            || insert.returning.is_some()
            || insert.replace_into
            || !insert.assignments.is_empty()
            || insert.multi_table_insert_type.is_some()
        {
            return Err(SqlError::unsupported("this form of INSERT"));
        }
        let TableObject::TableName(name) = &insert.table else {
            return Err(SqlError::unsupported("INSERT into anything but a table"));
        };
        let source = insert.source.as_ref().ok_or_else(|| SqlError::unsupported("INSERT without rows"))?;
        let (table, sql, replaced) = {
            let catalog = lock(self.catalog);
            let compiler = Compiler::new(&catalog, self.session);
            let table = base_table(&compiler, name)?.clone();
            let source = compiler.query(source, None, &Ctes::new())?;
            let mut names =
                insert.columns.iter().map(|name| Ok(parts(name)?.join("."))).collect::<Result<Vec<_>, SqlError>>()?;
            if inserting.by_name && names.is_empty() {
                names = source.columns.iter().map(|column| column.name.clone()).collect();
            }
            let replaced = match &inserting.replace_where {
                Some(condition) => Some(compiler.condition(condition, &scope_of(&table, None))?),
                None => None,
            };
            let targets = targets(&table.columns, &names)?;
            let sql = insert_sql(&compiler, &table.full_name(), &targets, &source)?;
            (table, sql, replaced)
        };
        let inserted = self.all_or_nothing(|| {
            let name = identifier(&table.full_name());
            if insert.overwrite {
                self.execute(&format!("DELETE FROM {name}"))?;
            }
            let Some(condition) = &replaced else { return self.execute(&sql) };
            self.execute(&format!("DELETE FROM {name} AS target WHERE {condition}"))?;
            let last: i64 = self.number(&format!("SELECT coalesce(max(rowid), 0) FROM {name}"))?;
            let inserted = self.execute(&sql)?;
            let strays = self.number(&format!(
                "SELECT count(*) FROM {name} AS target WHERE target.rowid > {last} AND ({condition}) IS NOT 1"
            ))?;
            if strays > 0 {
                return Err(SqlError::new(
                    "DELTA_REPLACE_WHERE_MISMATCH",
                    &format!("Written data does not conform to partial table overwrite condition or constraint: {strays} rows do not."),
                    "44000",
                ));
            }
            Ok(inserted)
        })?;
        self.touch(&table, "WRITE", &[("numOutputRows", inserted)]);
        Ok(Table::of_counts(&[("num_affected_rows", inserted), ("num_inserted_rows", inserted)]))
    }

    /// The one number that SQLite's own SQL gives.
    fn number(&self, sql: &str) -> Result<i64, SqlError> {
        self.connection.query_row(sql, [], |row| row.get(0)).map_err(|error| super::engine::failed(&error))
    }

    pub(crate) fn update(&self, update: &Update) -> Result<Table, SqlError> {
        if update.from.is_some()
            || update.returning.is_some()
            || !update.table.joins.is_empty()
            || update.limit.is_some()
        {
            return Err(SqlError::unsupported("this form of UPDATE"));
        }
        let (table, sql) = {
            let catalog = lock(self.catalog);
            let compiler = Compiler::new(&catalog, self.session);
            let (table, scope) = target(&compiler, &update.table)?;
            let mut changes = Vec::new();
            for assignment in &update.assignments {
                let AssignmentTarget::ColumnName(name) = &assignment.target else {
                    return Err(SqlError::unsupported("tuples in UPDATE"));
                };
                let name = parts(name)?;
                let column = name
                    .last()
                    .and_then(|last| table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(last)));
                let column = column.ok_or_else(|| SqlError::column_not_found(&name, &[]))?;
                let value = compiler.cast(compiler.expr(&assignment.value, &scope)?, &column.kind, false)?;
                changes.push(format!("{} = {}", identifier(&column.name), value.sql));
            }
            let condition =
                update.selection.as_ref().map(|condition| compiler.condition(condition, &scope)).transpose()?;
            let condition = condition.map_or(String::new(), |condition| format!(" WHERE {condition}"));
            (
                table.clone(),
                format!("UPDATE {} AS target SET {}{condition}", identifier(&table.full_name()), changes.join(", ")),
            )
        };
        let updated = self.all_or_nothing(|| self.execute(&sql))?;
        self.touch(&table, "UPDATE", &[("numUpdatedRows", updated)]);
        Ok(Table::of_counts(&[("num_affected_rows", updated)]))
    }

    pub(crate) fn delete(&self, delete: &Delete) -> Result<Table, SqlError> {
        let (FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables)) = &delete.from;
        let [table] = tables.as_slice() else {
            return Err(SqlError::unsupported("DELETE from several tables"));
        };
        if delete.using.is_some()
            || delete.returning.is_some()
            || !table.joins.is_empty()
            || delete.limit.is_some()
            || !delete.tables.is_empty()
        {
            return Err(SqlError::unsupported("this form of DELETE"));
        }
        let (table, sql) = {
            let catalog = lock(self.catalog);
            let compiler = Compiler::new(&catalog, self.session);
            let (table, scope) = target(&compiler, table)?;
            let condition =
                delete.selection.as_ref().map(|condition| compiler.condition(condition, &scope)).transpose()?;
            // Without a condition SQLite would not count the rows one by one, but it does count them.
            let condition = condition.map_or(String::new(), |condition| format!(" WHERE {condition}"));
            (table.clone(), format!("DELETE FROM {} AS target{condition}", identifier(&table.full_name())))
        };
        let deleted = self.all_or_nothing(|| self.execute(&sql))?;
        self.touch(&table, "DELETE", &[("numDeletedRows", deleted)]);
        Ok(Table::of_counts(&[("num_affected_rows", deleted)]))
    }

    pub(crate) fn truncate(&self, truncate: &Truncate) -> Result<Table, SqlError> {
        let [target] = truncate.table_names.as_slice() else {
            return Err(SqlError::unsupported("TRUNCATE of several tables"));
        };
        let table = {
            let catalog = lock(self.catalog);
            base_table(&Compiler::new(&catalog, self.session), &target.name)?.clone()
        };
        self.execute(&format!("DELETE FROM {}", identifier(&table.full_name())))?;
        self.touch(&table, "TRUNCATE", &[]);
        Ok(Table::default())
    }

    pub(crate) fn touch(&self, table: &catalog::Table, operation: &'static str, counts: &[(&'static str, usize)]) {
        self.record(&table.name, operation, counts);
        if let Some(table) = lock(self.catalog).tables.get_mut(&table.name) {
            table.node.updated_at = self.session.now_micros / 1000;
        }
    }
}

/// `INSERT INTO table (columns) SELECT …`, each value cast to its column's type.
pub(crate) fn insert_sql(
    compiler: &Compiler<'_>,
    full_name: &str,
    targets: &[Column],
    source: &Compiled,
) -> Result<String, SqlError> {
    if targets.len() != source.columns.len() {
        let (condition, few) = if source.columns.len() < targets.len() {
            ("NOT_ENOUGH_DATA_COLUMNS", "not enough")
        } else {
            ("TOO_MANY_DATA_COLUMNS", "too many")
        };
        return Err(SqlError::new(
            &format!("INSERT_COLUMN_ARITY_MISMATCH.{condition}"),
            &format!(
                "Cannot write to `{}`, the reason is {few} data columns: the table has {} and the data {}.",
                full_name.replace('.', "`.`"),
                targets.len(),
                source.columns.len()
            ),
            "21S01",
        ));
    }
    let names: Vec<_> = targets.iter().map(|column| identifier(&column.name)).collect();
    let mut values = Vec::new();
    for (index, (column, from)) in targets.iter().zip(&source.columns).enumerate() {
        values.push(compiler.cast(Typed::new(format!("c{index}"), from.kind.clone()), &column.kind, false)?.sql);
    }
    Ok(format!(
        "INSERT INTO {} ({}) SELECT {} FROM ({})",
        identifier(full_name),
        names.join(", "),
        values.join(", "),
        source.sql
    ))
}

fn targets(columns: &[Column], names: &[String]) -> Result<Vec<Column>, SqlError> {
    if names.is_empty() {
        return Ok(columns.to_vec());
    }
    names
        .iter()
        .map(|name| {
            let column = columns.iter().find(|column| column.name.eq_ignore_ascii_case(name)).cloned();
            column.ok_or_else(|| SqlError::column_not_found(std::slice::from_ref(name), &[]))
        })
        .collect()
}

fn base_table<'a>(compiler: &Compiler<'a>, name: &ObjectName) -> Result<&'a catalog::Table, SqlError> {
    let name = parts(name)?;
    let table = compiler.catalog.table(&compiler.qualify(&name)?).ok_or_else(|| SqlError::table_not_found(&name))?;
    match table.view_definition {
        None => Ok(table),
        Some(_) => Err(SqlError::new(
            "EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE",
            &format!("The operation expects a table but `{}` is a view.", table.full_name().replace('.', "`.`")),
            "42809",
        )),
    }
}

/// The table that UPDATE, DELETE or MERGE changes, and the scope of its columns.
pub(crate) fn target<'a>(
    compiler: &Compiler<'a>,
    table: &TableWithJoins,
) -> Result<(&'a catalog::Table, Scope<'static>), SqlError> {
    let TableFactor::Table { name, alias, .. } = &table.relation else {
        return Err(SqlError::unsupported("changes to anything but a table"));
    };
    let table = base_table(compiler, name)?;
    let scope = scope_of(table, alias.as_ref().map(|alias| alias.name.value.clone()));
    Ok((table, scope))
}

/// The columns of a table that is changed, as `target`.
fn scope_of(table: &catalog::Table, alias: Option<String>) -> Scope<'static> {
    let columns = table.columns.iter().map(|column| Readable {
        name: column.name.clone(),
        value: Typed::new(format!("target.{}", identifier(&column.name)), column.kind.clone()),
        hidden: false,
    });
    let names = alias.map_or_else(|| table.name.to_vec(), |alias| vec![alias]);
    let mut scope = Scope::empty(None);
    scope.push(Relation { names, columns: columns.collect() });
    scope
}
