//! Statements that the catalog answers: SHOW, DESCRIBE, EXPLAIN, USE, and CREATE and DROP of catalogs and schemas.
//!
//! Derived: columns beyond the recorded ones follow Spark's; the plan of EXPLAIN is SQLite's.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::workspace::catalog::{Catalog, Table as CatalogTable};
use crate::workspace::lock;

use super::compile::Compiler;
use super::engine::{Table, Work};
use super::error::SqlError;
use super::parse::{statement, tokens as tokenize, word};
use super::relation::Ctes;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    ShowCatalogs(Option<String>),
    ShowSchemas(Vec<String>, Option<String>),
    ShowTables(Vec<String>, Option<String>, Listed),
    ShowColumns(Vec<String>),
    ShowCreateTable(Vec<String>),
    Describe { name: Vec<String>, extended: bool },
    DescribeSchema(Vec<String>),
    DescribeCatalog(String),
    Explain(String),
    Use,
    CreateCatalog { name: String, if_not_exists: bool, comment: Option<String> },
    CreateSchema { name: Vec<String>, if_not_exists: bool, comment: Option<String> },
    DropCatalog { name: String, if_exists: bool, cascade: bool },
    DropSchema { name: Vec<String>, if_exists: bool, cascade: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listed {
    Tables,
    Views,
    Volumes,
    Functions,
}

/// Reads tokens one by one.
struct Cursor<'a> {
    tokens: &'a [TokenWithSpan],
    position: usize,
    sql: &'a str,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.position).map(|token| &token.token)
    }

    fn word(&self) -> String {
        self.peek().and_then(word).unwrap_or_default()
    }

    fn accept(&mut self, wanted: &str) -> bool {
        let mut ahead = 0;
        for part in wanted.split(' ') {
            let found = self.tokens.get(self.position + ahead).and_then(|token| word(&token.token));
            if found.as_deref() != Some(part) {
                return false;
            }
            ahead += 1;
        }
        self.position += ahead;
        true
    }

    fn name(&mut self) -> Result<Vec<String>, SqlError> {
        let mut parts = Vec::new();
        loop {
            match self.peek() {
                Some(Token::Word(word)) => parts.push(word.value.clone()),
                _ => return Err(self.unexpected()),
            }
            self.position += 1;
            if self.peek() != Some(&Token::Period) {
                return Ok(parts);
            }
            self.position += 1;
        }
    }

    fn single(&mut self) -> Result<String, SqlError> {
        match self.name()?.as_slice() {
            [name] => Ok(name.to_lowercase()),
            _ => Err(self.unexpected()),
        }
    }

    fn string(&mut self) -> Result<String, SqlError> {
        match self.peek() {
            Some(Token::SingleQuotedString(text) | Token::DoubleQuotedString(text)) => {
                let text = text.clone();
                self.position += 1;
                Ok(text)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn place(&mut self) -> Result<Vec<String>, SqlError> {
        if self.accept("IN") || self.accept("FROM") { self.name() } else { Ok(Vec::new()) }
    }

    fn pattern(&mut self) -> Result<Option<String>, SqlError> {
        let like = self.accept("LIKE");
        if like || matches!(self.peek(), Some(Token::SingleQuotedString(_))) {
            self.string().map(Some)
        } else {
            Ok(None)
        }
    }

    fn comment(&mut self) -> Result<Option<String>, SqlError> {
        if self.accept("COMMENT") { self.string().map(Some) } else { Ok(None) }
    }

    fn unexpected(&self) -> SqlError {
        match self.tokens.get(self.position) {
            Some(token) => {
                let line = usize::try_from(token.span.start.line).unwrap_or(1);
                let column = usize::try_from(token.span.start.column).unwrap_or(1).saturating_sub(1);
                SqlError::syntax(&token.token.to_string(), line, column, self.sql)
            }
            None => SqlError::syntax(
                "EOF",
                self.sql.lines().count().max(1),
                self.sql.lines().last().map_or(0, str::len),
                self.sql,
            ),
        }
    }
}

/// Recognizes a command; `None` is for the parser of statements.
pub(crate) fn parse(tokens: &[TokenWithSpan], sql: &str) -> Result<Option<Command>, SqlError> {
    let mut cursor = Cursor { tokens, position: 0, sql };
    let command = match cursor.word().as_str() {
        "SHOW" => show(&mut cursor)?,
        "DESCRIBE" | "DESC" => describe(&mut cursor)?,
        "EXPLAIN" => {
            cursor.position += 1;
            let _ = cursor.accept("EXTENDED")
                || cursor.accept("FORMATTED")
                || cursor.accept("COST")
                || cursor.accept("CODEGEN");
            return Ok(Some(Command::Explain(rest(&cursor))));
        }
        "USE" => {
            cursor.position += 1;
            let _ = cursor.accept("CATALOG") || cursor.accept("SCHEMA") || cursor.accept("DATABASE");
            cursor.name()?;
            Command::Use
        }
        "CREATE" | "DROP" => match change(&mut cursor)? {
            Some(command) => command,
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    match cursor.peek() {
        None => Ok(Some(command)),
        Some(_) => Err(cursor.unexpected()),
    }
}

/// The text from the cursor on.
fn rest(cursor: &Cursor<'_>) -> String {
    let Some(start) = cursor.tokens.get(cursor.position).map(|token| token.span.start) else { return String::new() };
    let line = usize::try_from(start.line).unwrap_or(1).saturating_sub(1);
    let column = usize::try_from(start.column).unwrap_or(1).saturating_sub(1);
    let mut lines = cursor.sql.lines().skip(line);
    let first: String = lines.next().unwrap_or_default().chars().skip(column).collect();
    std::iter::once(first).chain(lines.map(str::to_owned)).collect::<Vec<_>>().join("\n")
}

fn show(cursor: &mut Cursor<'_>) -> Result<Command, SqlError> {
    cursor.position += 1;
    let _ = cursor.accept("USER") || cursor.accept("ALL");
    if cursor.accept("CREATE TABLE") {
        return Ok(Command::ShowCreateTable(cursor.name()?));
    }
    let kind = cursor.word();
    cursor.position += 1;
    Ok(match kind.as_str() {
        "CATALOGS" => Command::ShowCatalogs(cursor.pattern()?),
        "SCHEMAS" | "DATABASES" => Command::ShowSchemas(cursor.place()?, cursor.pattern()?),
        "TABLES" => Command::ShowTables(cursor.place()?, cursor.pattern()?, Listed::Tables),
        "VIEWS" => Command::ShowTables(cursor.place()?, cursor.pattern()?, Listed::Views),
        "VOLUMES" => Command::ShowTables(cursor.place()?, cursor.pattern()?, Listed::Volumes),
        "FUNCTIONS" => Command::ShowTables(cursor.place()?, cursor.pattern()?, Listed::Functions),
        "COLUMNS" => Command::ShowColumns(cursor.place()?),
        kind => return Err(SqlError::unsupported(format!("SHOW {kind}"))),
    })
}

fn describe(cursor: &mut Cursor<'_>) -> Result<Command, SqlError> {
    cursor.position += 1;
    if cursor.accept("CATALOG") {
        let _ = cursor.accept("EXTENDED");
        return Ok(Command::DescribeCatalog(cursor.single()?));
    }
    if cursor.accept("SCHEMA") || cursor.accept("DATABASE") {
        let _ = cursor.accept("EXTENDED");
        return Ok(Command::DescribeSchema(cursor.name()?));
    }
    for what in ["DETAIL", "HISTORY", "FUNCTION", "VOLUME", "QUERY"] {
        if cursor.tokens.len() > 2 && cursor.accept(what) {
            return Err(SqlError::unsupported(format!("DESCRIBE {what}")));
        }
    }
    let _ = cursor.accept("TABLE");
    let extended = cursor.tokens.len() > cursor.position + 1 && cursor.accept("EXTENDED");
    Ok(Command::Describe { name: cursor.name()?, extended })
}

fn change(cursor: &mut Cursor<'_>) -> Result<Option<Command>, SqlError> {
    let create = cursor.accept("CREATE");
    if !create {
        cursor.position += 1;
    }
    let catalog = cursor.accept("CATALOG");
    if !catalog && !cursor.accept("SCHEMA") && !cursor.accept("DATABASE") {
        return Ok(None);
    }
    let if_not_exists = create && cursor.accept("IF NOT EXISTS");
    let if_exists = !create && cursor.accept("IF EXISTS");
    let name = cursor.name()?.iter().map(|part| part.to_lowercase()).collect::<Vec<_>>();
    let comment = if create { cursor.comment()? } else { None };
    let cascade = !create && cursor.accept("CASCADE");
    let _ = !create && cursor.accept("RESTRICT");
    Ok(Some(match (create, catalog, name.as_slice()) {
        (true, true, [name]) => Command::CreateCatalog { name: name.clone(), if_not_exists, comment },
        (false, true, [name]) => Command::DropCatalog { name: name.clone(), if_exists, cascade },
        (true, false, [_] | [_, _]) => Command::CreateSchema { name, if_not_exists, comment },
        (false, false, [_] | [_, _]) => Command::DropSchema { name, if_exists, cascade },
        _ => return Err(cursor.unexpected()),
    }))
}

impl Work<'_> {
    pub(crate) fn command(&self, command: Command) -> Result<Table, SqlError> {
        if let Command::Explain(sql) = &command {
            return self.explain(sql);
        }
        let mut catalog = lock(self.catalog);
        match command {
            Command::ShowCatalogs(pattern) => Ok(Table::of_texts(
                ["catalog"],
                catalog.catalogs.keys().filter(|name| like(name, pattern.as_deref())).map(|name| [name.clone()]),
            )),
            Command::ShowSchemas(place, pattern) => {
                let name = place.first().map_or_else(|| self.session.catalog.clone(), |name| name.to_lowercase());
                if !catalog.catalogs.contains_key(&name) {
                    return Err(SqlError::catalog_not_found(&name));
                }
                let names = catalog.schemas_of(&name).filter(|([_, schema], _)| like(schema, pattern.as_deref()));
                Ok(Table::of_texts(["databaseName"], names.map(|([_, schema], _)| [schema.clone()])))
            }
            Command::ShowTables(place, pattern, listed) => {
                self.show_tables(&catalog, &place, pattern.as_deref(), listed)
            }
            Command::ShowColumns(name) => {
                let table = self.find(&catalog, &name)?;
                Ok(Table::of_texts(["col_name"], table.columns.iter().map(|column| [column.name.clone()])))
            }
            Command::ShowCreateTable(name) => {
                let table = self.find(&catalog, &name)?;
                Ok(Table::of_texts(["createtab_stmt"], [[create_statement(table)]]))
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
            // Each statement has a session of its own, so there is nothing to keep.
            Command::Use | Command::Explain(_) => Ok(Table::default()),
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
        pattern: Option<&str>,
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
                    column.kind = super::types::Type::Boolean;
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

    fn explain(&self, sql: &str) -> Result<Table, SqlError> {
        let sqlparser::ast::Statement::Query(query) = statement(sql, tokenize(sql)?)? else {
            return Err(SqlError::unsupported("EXPLAIN of anything but a query"));
        };
        let compiled = Compiler::new(&lock(self.catalog), self.session).query(&query, None, &Ctes::new())?;
        let mut plan = self
            .connection
            .prepare(&format!("EXPLAIN QUERY PLAN {}", compiled.sql))
            .map_err(|error| super::engine::failed(&error))?;
        let steps = plan
            .query_map([], |row| row.get::<_, String>(3))
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| super::engine::failed(&error))?;
        let output: Vec<_> =
            compiled.columns.iter().map(|column| format!("{}: {}", column.name, column.kind.catalog_text())).collect();
        let text = format!(
            "== Physical Plan ==\nOutput [{}]\n{}",
            output.join(", "),
            steps.iter().map(|step| format!("+- {step}")).collect::<Vec<_>>().join("\n")
        );
        Ok(Table::of_texts(["plan"], [[text]]))
    }
}

fn name_of(name: &[String; 3]) -> String {
    let [_, _, name] = name;
    name.clone()
}

/// `*` is any text and `|` an alternative; `%` is taken as `*`.
fn like(name: &str, pattern: Option<&str>) -> bool {
    let Some(pattern) = pattern else { return true };
    pattern.split('|').any(|pattern| {
        let source: Vec<_> = pattern.trim().split(['*', '%']).map(regex::escape).collect();
        regex::Regex::new(&format!("(?i)^{}$", source.join(".*"))).is_ok_and(|regex| regex.is_match(name))
    })
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
        if let Some(view) = &table.view_definition {
            rows.push([Some("View Text".to_owned()), Some(view.clone()), blank()]);
        }
    }
    let mut result = Table::of_texts(["col_name", "data_type", "comment"], []);
    result.rows = rows.into_iter().map(Vec::from).collect();
    result
}

fn create_statement(table: &CatalogTable) -> String {
    let full_name = table.full_name();
    if let Some(view) = &table.view_definition {
        return format!("CREATE VIEW {full_name} AS {view}");
    }
    let columns: Vec<_> = table
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
    format!("CREATE TABLE {full_name} (\n{})\nUSING delta\n", columns.join(",\n"))
}
