//! CREATE and DROP of tables and views, in step with the catalog.

use std::collections::BTreeMap;

use sqlparser::ast::{
    ColumnDef, ColumnOption, CommentDef, CreateTable, CreateTableOptions, CreateView, ObjectName, ObjectType,
    SqlOption, Statement,
};

use crate::workspace::catalog::{Name, Node, Table as CatalogTable};
use crate::workspace::lock;

use super::compile::{Compiler, identifier};
use super::dml::insert_sql;
use super::engine::{Table, Work, create_sql};
use super::error::{SqlError, quoted};
use super::parse::{parts, statement, tokens};
use super::relation::Ctes;
use super::rewrite::text_of;
use super::session::TemporaryView;
use super::types::{Column, Type};

impl Work<'_> {
    pub(crate) fn create_table(
        &self,
        create: &CreateTable,
        properties: BTreeMap<String, String>,
    ) -> Result<Table, SqlError> {
        if create.temporary
            || create.external
            || create.like.is_some()
            || create.clone.is_some()
            || create.location.is_some()
        {
            return Err(SqlError::unsupported("temporary, external, LIKE and CLONE tables"));
        }
        let (name, exists) = self.new_name(&create.name)?;
        if exists && create.if_not_exists {
            return Ok(Table::default());
        }
        if exists && !create.or_replace {
            return Err(SqlError::exists("table", &name));
        }
        let full_name = name.join(".");
        let building = format!("{full_name}#new");
        let keys = Compiler::new(&lock(self.catalog), self.session).keys(&name, create)?;
        let declared = create.columns.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        let (columns, fill) = match &create.query {
            None => (declared, None),
            Some(_) if !declared.is_empty() => {
                return Err(SqlError::unsupported("CREATE TABLE AS with a list of columns"));
            }
            Some(query) => {
                let catalog = lock(self.catalog);
                let compiler = Compiler::new(&catalog, self.session);
                let compiled = compiler.query(query, None, &Ctes::new())?;
                let columns: Vec<_> =
                    compiled.columns.iter().map(|column| Column { comment: None, ..column.clone() }).collect();
                let fill = insert_sql(&compiler, &building, &columns, &compiled)?;
                (columns, Some(fill))
            }
        };
        check_names(&columns)?;
        self.all_or_nothing(|| {
            self.execute(&create_sql(&building, &columns))?;
            if let Some(fill) = &fill {
                self.execute(fill)?;
            }
            self.execute(&format!("DROP TABLE IF EXISTS {}", identifier(&full_name)))?;
            self.execute(&format!("ALTER TABLE {} RENAME TO {}", identifier(&building), identifier(&full_name)))
        })?;
        // The parser keeps a comment in either place.
        let comment = create.comment.as_ref().or_else(|| match &create.table_options {
            CreateTableOptions::Plain(options) => options.iter().find_map(|option| match option {
                SqlOption::Comment(comment) => Some(comment),
                _ => None,
            }),
            _ => None,
        });
        let comment = comment.map(|(CommentDef::WithEq(text) | CommentDef::WithoutEq(text))| text.clone());
        let mut node = self.node(comment);
        node.properties = properties;
        let operation = match (exists, fill.is_some()) {
            (true, true) => "CREATE OR REPLACE TABLE AS SELECT",
            (true, false) => "CREATE OR REPLACE TABLE",
            (false, true) => "CREATE TABLE AS SELECT",
            (false, false) => "CREATE TABLE",
        };
        if !exists {
            lock(self.catalog).history.insert(name.clone(), Vec::new());
        }
        // What went into a table before it was made anew is gone.
        lock(self.catalog).flows.remove(&name);
        if keys.is_empty() {
            lock(self.catalog).keys.remove(&name);
        } else {
            lock(self.catalog).keys.insert(name.clone(), keys);
        }
        self.record(&name, operation, &[]);
        self.enter(CatalogTable { name, node, kind: "MANAGED", columns, view_definition: None });
        Ok(Table::default())
    }

    pub(crate) fn create_view(&self, create: &CreateView, comment: Option<String>) -> Result<Table, SqlError> {
        if create.materialized {
            return Err(SqlError::unsupported("materialized views"));
        }
        if create.temporary {
            return self.create_temporary_view(create);
        }
        let (name, exists) = self.new_name(&create.name)?;
        if exists && create.if_not_exists {
            return Ok(Table::default());
        }
        if exists && !create.or_replace {
            return Err(SqlError::exists("view", &name));
        }
        let mut columns = {
            let catalog = lock(self.catalog);
            Compiler::new(&catalog, self.session).query(&create.query, None, &Ctes::new())?.columns
        };
        rename(&mut columns, create)?;
        check_names(&columns)?;
        let mut node = self.node(comment);
        // The query keeps the names as written, so it keeps where they were resolved.
        node.properties
            .insert("view.catalogAndNamespace".to_owned(), format!("{}.{}", self.session.catalog, self.session.schema));
        self.enter(CatalogTable { name, node, kind: "VIEW", columns, view_definition: Some(text_of(&create.query)) });
        Ok(Table::default())
    }

    fn create_temporary_view(&self, create: &CreateView) -> Result<Table, SqlError> {
        let name = parts(&create.name)?;
        let [single] = name.as_slice() else {
            return Err(SqlError::new(
                "TEMP_VIEW_NAME_TOO_MANY_NAME_PARTS",
                &format!(
                    "CREATE TEMPORARY VIEW or the corresponding Dataset APIs only accept single-part view names, but got: {}.",
                    quoted(&name)
                ),
                "428EK",
            ));
        };
        let mut columns = {
            let catalog = lock(self.catalog);
            Compiler::new(&catalog, self.session).query(&create.query, None, &Ctes::new())?.columns
        };
        rename(&mut columns, create)?;
        check_names(&columns)?;
        let query = text_of(&create.query);
        let mut views = lock(&self.session.temporary);
        let key = single.to_lowercase();
        if views.contains_key(&key) && !create.or_replace {
            return Err(SqlError::new(
                "TEMP_TABLE_OR_VIEW_ALREADY_EXISTS",
                &format!(
                    "Cannot create the temporary view {} because it already exists.\nChoose a different name, drop or replace the existing view, or add the IF NOT EXISTS clause to tolerate pre-existing views.",
                    quoted(&name)
                ),
                "42P07",
            ));
        }
        let (catalog, schema) = (self.session.catalog.clone(), self.session.schema.clone());
        let columns = columns.into_iter().map(|column| column.name).collect();
        views.insert(key, TemporaryView { query, catalog, schema, columns });
        Ok(Table::default())
    }

    pub(crate) fn drop(&self, kind: ObjectType, if_exists: bool, names: &[ObjectName]) -> Result<Table, SqlError> {
        if !matches!(kind, ObjectType::Table | ObjectType::View) {
            return Err(SqlError::unsupported(format!("DROP {kind}")));
        }
        for name in names {
            let name = parts(name)?;
            if let (ObjectType::View, [single]) = (kind, name.as_slice())
                && lock(&self.session.temporary).remove(&single.to_lowercase()).is_some()
            {
                continue;
            }
            let mut catalog = lock(self.catalog);
            let full = Compiler::new(&catalog, self.session).qualify(&name)?;
            let Some(table) = catalog.table(&full) else {
                if if_exists {
                    continue;
                }
                return Err(SqlError::table_not_found(&name));
            };
            if table.view_definition.is_some() != (kind == ObjectType::View) {
                return Err(SqlError::new(
                    "WRONG_COMMAND_FOR_OBJECT_TYPE",
                    &format!(
                        "The operation DROP {kind} requires a {kind}, but `{}` is a {}.",
                        full.join("`.`"),
                        table.kind
                    ),
                    "42809",
                ));
            }
            catalog.drop_table(&full);
        }
        Ok(Table::default())
    }

    /// COMMENT ON an object, or on a column of a table.
    pub(crate) fn comment(&self, kind: &str, name: &[String], comment: Option<String>) -> Result<Table, SqlError> {
        let mut catalog = lock(self.catalog);
        let missing =
            || SqlError::new("RESOURCE_DOES_NOT_EXIST", &format!("There is no {kind} {}.", quoted(name)), "42704");
        let lower = |part: &String| part.to_lowercase();
        let here = self.session.catalog.clone();
        if kind == "COLUMN" {
            let Some((column, table)) = name.split_last() else { return Err(missing()) };
            let full = Compiler::new(&catalog, self.session).qualify(table)?;
            let table = catalog.tables.get_mut(&full).ok_or_else(|| SqlError::table_not_found(table))?;
            let known = table.columns.iter_mut().find(|known| known.name.eq_ignore_ascii_case(column));
            known.ok_or_else(|| SqlError::column_not_found(std::slice::from_ref(column), &[]))?.comment = comment;
            return Ok(Table::default());
        }
        let node = match (kind, name) {
            ("CATALOG", [name]) => catalog.catalogs.get_mut(&lower(name)).ok_or_else(missing)?,
            ("SCHEMA" | "DATABASE", [schema]) => catalog.schemas.get_mut(&[here, lower(schema)]).ok_or_else(missing)?,
            ("SCHEMA" | "DATABASE", [c, s]) => catalog.schemas.get_mut(&[lower(c), lower(s)]).ok_or_else(missing)?,
            ("TABLE" | "VIEW" | "VOLUME" | "FUNCTION", name) => {
                let full = Compiler::new(&catalog, self.session).qualify(name)?;
                match kind {
                    "VOLUME" => catalog.volumes.get_mut(&full).ok_or_else(missing)?,
                    "FUNCTION" => catalog.functions.get_mut(&full).ok_or_else(missing)?,
                    _ => &mut catalog.tables.get_mut(&full).ok_or_else(|| SqlError::table_not_found(name))?.node,
                }
            }
            _ => return Err(SqlError::unsupported(format!("COMMENT ON {kind}"))),
        };
        node.comment = comment;
        Ok(Table::default())
    }

    /// The full name of something new, whose schema must exist, and whether it is taken.
    fn new_name(&self, name: &ObjectName) -> Result<(Name, bool), SqlError> {
        let catalog = lock(self.catalog);
        let full = Compiler::new(&catalog, self.session).qualify(&parts(name)?)?;
        let [c, s, _] = &full;
        if !catalog.catalogs.contains_key(c) {
            return Err(SqlError::catalog_not_found(c));
        }
        if !catalog.has_schema(c, s) {
            return Err(SqlError::schema_not_found(&[c.clone(), s.clone()]));
        }
        let exists = catalog.table(&full).is_some();
        Ok((full, exists))
    }

    fn enter(&self, table: CatalogTable) {
        let mut catalog = lock(self.catalog);
        if let Some(before) = catalog.tables.get(&table.name)
            && before.view_definition.is_none()
            && table.view_definition.is_some()
        {
            let name = table.name.clone();
            catalog.drop_table(&name);
        }
        catalog.tables.insert(table.name.clone(), table);
    }

    pub(crate) fn node(&self, comment: Option<String>) -> Node {
        let now = self.session.now_micros / 1000;
        Node { owner: self.session.user.clone(), comment, created_at: now, updated_at: now, ..Node::default() }
    }
}

/// The names that a view gives to its columns.
fn rename(columns: &mut [Column], create: &CreateView) -> Result<(), SqlError> {
    if !create.columns.is_empty() && create.columns.len() != columns.len() {
        return Err(SqlError::unsupported("a view with too many or too few column names"));
    }
    for (column, named) in columns.iter_mut().zip(&create.columns) {
        column.name.clone_from(&named.name.value);
    }
    Ok(())
}

fn check_names(columns: &[Column]) -> Result<(), SqlError> {
    let mut seen = std::collections::BTreeSet::new();
    for column in columns {
        if !seen.insert(column.name.to_lowercase()) {
            return Err(SqlError::new(
                "COLUMN_ALREADY_EXISTS",
                &format!(
                    "The column `{}` already exists. Choose another name or rename the existing column.",
                    column.name
                ),
                "42711",
            ));
        }
        if column.kind.is_interval() {
            return Err(SqlError::unsupported("columns of intervals in tables and views"));
        }
        if column.name.contains('\0') || column.name.is_empty() {
            return Err(SqlError::unsupported("columns without a name"));
        }
    }
    if columns.is_empty() {
        return Err(SqlError::unsupported("tables without columns"));
    }
    Ok(())
}

/// Columns from the text between the parentheses of a CREATE TABLE.
pub(crate) fn definitions(columns: &str) -> Result<Vec<Column>, SqlError> {
    let sql = format!("CREATE TABLE t ({columns})");
    match statement(&sql, tokens(&sql)?)? {
        Statement::CreateTable(create) => create.columns.iter().map(column).collect(),
        _ => Err(SqlError::unsupported("this definition of columns")),
    }
}

pub(crate) fn column(definition: &ColumnDef) -> Result<Column, SqlError> {
    let kind = Type::from_ast(&definition.data_type)
        .ok_or_else(|| SqlError::unsupported(format!("the type {}", definition.data_type)))?;
    let mut column = Column::new(definition.name.value.clone(), kind);
    for option in &definition.options {
        match &option.option {
            ColumnOption::Null => {}
            ColumnOption::NotNull => column.nullable = false,
            ColumnOption::Comment(text) => column.comment = Some(text.clone()),
            ColumnOption::PrimaryKey(_) | ColumnOption::ForeignKey(_) => {}
            option => return Err(SqlError::unsupported(format!("the column option {option}"))),
        }
    }
    Ok(column)
}
