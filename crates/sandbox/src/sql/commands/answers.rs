//! What the catalog answers to commands.
//!
//! Derived: columns beyond the recorded ones follow Spark's.

use crate::sql::compile::{Compiled, Compiler};
use crate::sql::engine::{Table, Work};
use crate::sql::error::SqlError;
use crate::sql::parse::{statement, tokens as tokenize};
use crate::sql::relation::Ctes;
use crate::sql::types::Type;
use crate::workspace::catalog::{Catalog, Table as CatalogTable};
use crate::workspace::lock;

use super::name_pattern::{NamePattern, like};
use super::{Command, Listed, listing, used};

impl Work<'_> {
    pub(crate) fn command(&self, command: Command) -> Result<Table, SqlError> {
        if let Command::Explain(detail, sql) = &command {
            return self.explain(*detail, sql);
        }
        if let Command::Alter { name, is_view, change } = command {
            return self.alter(&name, is_view, change);
        }
        match command {
            Command::Grant { revoke, privileges, securable, principal } => {
                return self.grant(revoke, privileges, &securable, principal);
            }
            Command::ShowGrants { principal, securable } => return self.grants(&securable, principal.as_deref()),
            Command::CommentOn { kind, name, comment } => return self.comment(&kind, &name, comment),
            Command::CreateFunction(routine) => return self.create_function(routine),
            Command::CreateVolume { name, if_not_exists, comment } => {
                return self.create_volume(&name, if_not_exists, comment);
            }
            Command::DropObject { name, if_exists, is_function } => {
                return self.drop_object(&name, if_exists, is_function);
            }
            _ => {}
        }
        let mut catalog = lock(self.catalog);
        match command {
            Command::DescribeFunction(name) => self.describe_function(&catalog, &name),
            Command::ShowCatalogs(pattern) => Ok(Table::of_texts(
                ["catalog"],
                catalog.catalogs.keys().filter(|name| like(name, pattern.as_ref())).map(|name| [name.clone()]),
            )),
            Command::ShowSchemas(place, pattern) => {
                let name = place.first().map_or_else(|| self.session.catalog.clone(), |name| name.to_lowercase());
                if !catalog.catalogs.contains_key(&name) {
                    return Err(SqlError::catalog_not_found(&name));
                }
                let names = catalog.schemas_of(&name).filter(|([_, schema], _)| like(schema, pattern.as_ref()));
                Ok(Table::of_texts(["databaseName"], names.map(|([_, schema], _)| [schema.clone()])))
            }
            Command::ShowTables(place, pattern, listed) => self.show_tables(&catalog, &place, pattern.as_ref(), listed),
            Command::ListTables(wanted) => listing::tables(&catalog, &wanted),
            Command::ListColumns(wanted) => listing::columns(&catalog, &wanted),
            Command::Detail(name) => self.detail(self.find(&catalog, &name)?),
            Command::History(name) => self.history(&catalog, self.find(&catalog, &name)?),
            Command::DescribeQuery(sql) => {
                let columns = self.compiled(&catalog, &sql)?.columns;
                let mut table = Table::of_texts(["col_name", "data_type", "comment"], []);
                let rows = columns
                    .into_iter()
                    .map(|column| vec![Some(column.name), Some(column.kind.catalog_text()), column.comment]);
                table.rows = rows.collect();
                Ok(table)
            }
            Command::ShowColumns(name) => {
                let table = self.find(&catalog, &name)?;
                Ok(Table::of_texts(["col_name"], table.columns.iter().map(|column| [column.name.clone()])))
            }
            Command::ShowCreateTable(name) => {
                let table = self.find(&catalog, &name)?;
                Ok(Table::of_texts(["createtab_stmt"], [[create_statement(&catalog, table)]]))
            }
            Command::Describe { name, extended } => {
                let table = self.find(&catalog, &name)?;
                Ok(describe_table(table, extended))
            }
            Command::DescribeSchema(name) => {
                let [c, s] = self.schema_name(&name)?;
                let node =
                    catalog.schemas.get(&[c.clone(), s.clone()]).ok_or_else(|| SqlError::schema_not_found(&name))?;
                let rows = [
                    ("Catalog Name", c),
                    ("Namespace Name", s),
                    ("Comment", node.comment.clone().unwrap_or_default()),
                    ("Owner", node.owner.clone()),
                ];
                Ok(Table::of_texts(
                    ["database_description_item", "database_description_value"],
                    rows.map(|(item, value)| [item.to_owned(), value]),
                ))
            }
            Command::DescribeCatalog(name) => {
                let node = catalog.catalogs.get(&name).ok_or_else(|| SqlError::catalog_not_found(&name))?;
                let rows = [
                    ("Catalog Name", name.clone()),
                    ("Comment", node.comment.clone().unwrap_or_default()),
                    ("Owner", node.owner.clone()),
                ];
                Ok(Table::of_texts(["info_name", "info_value"], rows.map(|(item, value)| [item.to_owned(), value])))
            }
            // Where the session is now, its keeper reads from the statement itself.
            Command::Use { catalog: is_catalog, name } => {
                let (c, s) = used(is_catalog, &name, self.session).ok_or_else(|| SqlError::schema_not_found(&name))?;
                if !catalog.catalogs.contains_key(&c) {
                    return Err(SqlError::catalog_not_found(&c));
                }
                if !is_catalog && !catalog.has_schema(&c, &s) {
                    return Err(SqlError::schema_not_found(&[c, s]));
                }
                Ok(Table::default())
            }
            Command::ShowProperties(name) => {
                let table = self.find(&catalog, &name)?;
                let rows = table.node.properties.iter().map(|(key, value)| [key.clone(), value.clone()]);
                Ok(Table::of_texts(["key", "value"], rows))
            }
            Command::CreateCatalog { name, if_not_exists, comment } => {
                match (catalog.catalogs.contains_key(&name), if_not_exists) {
                    (true, true) => return Ok(Table::default()),
                    (true, false) => return Err(SqlError::exists("catalog", &[name])),
                    _ => {}
                }
                catalog.catalogs.insert(name.clone(), self.node(comment));
                for schema in ["default", "information_schema"] {
                    catalog.schemas.insert([name.clone(), schema.to_owned()], self.node(None));
                }
                Ok(Table::default())
            }
            Command::CreateSchema { name, if_not_exists, comment } => {
                let full = self.schema_name(&name)?;
                let [c, _] = &full;
                if !catalog.catalogs.contains_key(c) {
                    return Err(SqlError::catalog_not_found(c));
                }
                match (catalog.schemas.contains_key(&full), if_not_exists) {
                    (true, true) => return Ok(Table::default()),
                    (true, false) => return Err(SqlError::exists("schema", &full)),
                    _ => {}
                }
                catalog.schemas.insert(full, self.node(comment));
                Ok(Table::default())
            }
            Command::DropCatalog { name, if_exists, cascade } => {
                if !catalog.catalogs.contains_key(&name) {
                    return if if_exists { Ok(Table::default()) } else { Err(SqlError::catalog_not_found(&name)) };
                }
                let full = catalog.schemas_of(&name).any(|([_, schema], _)| !catalog.is_schema_empty(&name, schema));
                if full && !cascade {
                    return Err(SqlError::new(
                        "CATALOG_NOT_EMPTY",
                        &format!(
                            "Cannot drop a catalog `{name}` because it contains objects. Use DROP CATALOG ... CASCADE to drop the catalog and all its objects."
                        ),
                        "2BP01",
                    ));
                }
                catalog.drop_catalog(&name);
                Ok(Table::default())
            }
            Command::DropSchema { name, if_exists, cascade } => {
                let [c, s] = self.schema_name(&name)?;
                if !catalog.has_schema(&c, &s) {
                    return if if_exists { Ok(Table::default()) } else { Err(SqlError::schema_not_found(&name)) };
                }
                if !catalog.is_schema_empty(&c, &s) && !cascade {
                    return Err(SqlError::new(
                        "SCHEMA_NOT_EMPTY",
                        &format!(
                            "Cannot drop a schema `{c}`.`{s}` because it contains objects.\nUse DROP SCHEMA ... CASCADE to drop the schema and all its objects."
                        ),
                        "2BP01",
                    ));
                }
                catalog.drop_schema(&c, &s);
                Ok(Table::default())
            }
            // What was answered above.
            _ => Ok(Table::default()),
        }
    }

    fn schema_name(&self, name: &[String]) -> Result<[String; 2], SqlError> {
        match name {
            [schema] => Ok([self.session.catalog.clone(), schema.to_lowercase()]),
            [catalog, schema] => Ok([catalog.to_lowercase(), schema.to_lowercase()]),
            _ => Err(SqlError::schema_not_found(name)),
        }
    }

    fn find<'c>(&self, catalog: &'c Catalog, name: &[String]) -> Result<&'c CatalogTable, SqlError> {
        let full = Compiler::new(catalog, self.session).qualify(name)?;
        catalog.table(&full).ok_or_else(|| SqlError::table_not_found(name))
    }

    fn show_tables(
        &self,
        catalog: &Catalog,
        place: &[String],
        pattern: Option<&NamePattern>,
        listed: Listed,
    ) -> Result<Table, SqlError> {
        let [c, s] = if place.is_empty() {
            [self.session.catalog.clone(), self.session.schema.clone()]
        } else {
            self.schema_name(place)?
        };
        if !catalog.has_schema(&c, &s) {
            return Err(SqlError::schema_not_found(&[c, s]));
        }
        let names: Vec<String> = match listed {
            Listed::Tables => catalog.tables_of(&c, &s).map(|table| name_of(&table.name)).collect(),
            Listed::Views => catalog
                .tables_of(&c, &s)
                .filter(|table| table.view_definition.is_some())
                .map(|table| name_of(&table.name))
                .collect(),
            Listed::Volumes => catalog.volumes.keys().filter(|[a, b, _]| *a == c && *b == s).map(name_of).collect(),
            Listed::Functions => {
                catalog.functions.keys().filter(|[a, b, _]| *a == c && *b == s).map(|name| name.join(".")).collect()
            }
        };
        let names = names.into_iter().filter(|name| like(name, pattern));
        Ok(match listed {
            Listed::Tables => {
                let mut table = Table::of_texts(
                    ["database", "tableName", "isTemporary"],
                    names.map(|name| [s.clone(), name, "false".to_owned()]),
                );
                if let Some(column) = table.columns.last_mut() {
                    column.kind = Type::Boolean;
                }
                table
            }
            Listed::Views => Table::of_texts(
                ["namespace", "viewName", "isTemporary", "isMaterialized"],
                names.map(|name| [s.clone(), name, "false".to_owned(), "false".to_owned()]),
            ),
            Listed::Volumes => Table::of_texts(["database", "volume_name"], names.map(|name| [s.clone(), name])),
            Listed::Functions => Table::of_texts(["function"], names.map(|name| [name])),
        })
    }

    fn compiled(&self, catalog: &Catalog, sql: &str) -> Result<Compiled, SqlError> {
        let sqlparser::ast::Statement::Query(query) = statement(sql, tokenize(sql)?)? else {
            return Err(SqlError::unsupported("DESCRIBE of anything but a query"));
        };
        Compiler::new(catalog, self.session).query(&query, None, &Ctes::new())
    }
}

fn name_of(name: &[String; 3]) -> String {
    let [_, _, name] = name;
    name.clone()
}

fn describe_table(table: &CatalogTable, extended: bool) -> Table {
    let mut rows: Vec<[Option<String>; 3]> = table
        .columns
        .iter()
        .map(|column| [Some(column.name.clone()), Some(column.kind.catalog_text()), column.comment.clone()])
        .collect();
    if extended {
        let [catalog, schema, name] = table.name.clone();
        let blank = || Some(String::new());
        rows.push([blank(), blank(), blank()]);
        rows.push([Some("# Detailed Table Information".to_owned()), blank(), blank()]);
        let details = [
            ("Catalog", catalog),
            ("Database", schema),
            ("Table", name),
            ("Created Time", crate::text::rfc3339(table.node.created_at)),
            ("Type", table.kind.to_owned()),
            ("Comment", table.node.comment.clone().unwrap_or_default()),
            ("Owner", table.node.owner.clone()),
        ];
        rows.extend(details.map(|(item, value)| [Some(item.to_owned()), Some(value), blank()]));
        if table.view_definition.is_none() {
            rows.push([Some("Provider".to_owned()), Some("delta".to_owned()), blank()]);
        }
        if !table.node.properties.is_empty() {
            let properties: Vec<_> =
                table.node.properties.iter().map(|(key, value)| format!("{key}={value}")).collect();
            rows.push([Some("Table Properties".to_owned()), Some(format!("[{}]", properties.join(","))), blank()]);
        }
        if let Some(view) = &table.view_definition {
            rows.push([Some("View Text".to_owned()), Some(view.clone()), blank()]);
        }
    }
    let mut result = Table::of_texts(["col_name", "data_type", "comment"], []);
    result.rows = rows.into_iter().map(Vec::from).collect();
    result
}

fn create_statement(catalog: &Catalog, table: &CatalogTable) -> String {
    let full_name = table.full_name();
    if let Some(view) = &table.view_definition {
        return format!("CREATE VIEW {full_name} AS {view}");
    }
    let mut columns: Vec<_> = table
        .columns
        .iter()
        .map(|column| {
            let comment = column
                .comment
                .as_ref()
                .map_or(String::new(), |text| format!(" COMMENT '{}'", text.replace('\'', "\\'")));
            format!(
                "  {} {}{}{comment}",
                column.name,
                column.kind.text(),
                if column.nullable { "" } else { " NOT NULL" }
            )
        })
        .collect();
    for key in catalog.keys.get(&table.name).into_iter().flatten() {
        let own = key.columns.join(", ");
        columns.push(match &key.references {
            None => format!("  CONSTRAINT {} PRIMARY KEY ({own})", key.name),
            Some((parent, referred)) => format!(
                "  CONSTRAINT {} FOREIGN KEY ({own}) REFERENCES {} ({})",
                key.name,
                parent.join("."),
                referred.join(", ")
            ),
        });
    }
    let mut sql = format!("CREATE TABLE {full_name} (\n{})\nUSING delta\n", columns.join(",\n"));
    if let Some(comment) = &table.node.comment {
        sql.push_str(&format!("COMMENT '{}'\n", comment.replace('\'', "\\'")));
    }
    if !table.node.properties.is_empty() {
        let properties: Vec<_> = table
            .node
            .properties
            .iter()
            .map(|(key, value)| format!("  '{key}' = '{}'", value.replace('\'', "\\'")))
            .collect();
        sql.push_str(&format!("TBLPROPERTIES (\n{})\n", properties.join(",\n")));
    }
    sql
}
