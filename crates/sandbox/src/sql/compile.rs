//! What compiling needs at hand: the catalog, the session, and the names in scope.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use crate::workspace::catalog::{Catalog, Name};

use super::cancel::Cancel;
use super::error::SqlError;
use super::grouping::Groups;
use super::relation::Ctes;
use super::session::Session;
use super::types::{Column, Type};

/// An expression in SQLite's dialect, and its Databricks type.
#[derive(Debug, Clone)]
pub(crate) struct Typed {
    pub(crate) sql: String,
    pub(crate) kind: Type,
}

impl Typed {
    pub(crate) fn new(sql: impl Into<String>, kind: Type) -> Self {
        Self { sql: sql.into(), kind }
    }
}

/// A query in SQLite's dialect; its columns are named `c0`, `c1`, … there.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    pub(crate) sql: String,
    pub(crate) columns: Vec<Column>,
}

/// A column that can be named, and the SQL that reads it.
#[derive(Debug, Clone)]
pub(crate) struct Readable {
    pub(crate) name: String,
    pub(crate) value: Typed,
    /// The second half of a `USING` pair: only there when qualified.
    pub(crate) hidden: bool,
}

/// One relation of a FROM clause.
#[derive(Debug, Clone)]
pub(crate) struct Relation {
    /// The names it can be qualified with, outermost first.
    pub(crate) names: Vec<String>,
    pub(crate) columns: Vec<Readable>,
}

/// Whether aggregates may stand here, and what may stand outside of them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mode<'a> {
    /// Row by row.
    Row,
    /// Per group: only these expressions, and aggregates.
    Group(&'a Groups),
}

/// The names an expression can use.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) relations: Rc<Vec<Relation>>,
    /// Earlier items of the SELECT list, which later ones may name.
    pub(crate) aliases: Rc<Vec<(String, Typed)>>,
    pub(crate) aliases_first: bool,
    pub(crate) mode: Mode<'a>,
    pub(crate) parent: Option<&'a Scope<'a>>,
    /// What subqueries may name.
    pub(crate) ctes: Rc<Ctes>,
}

impl<'a> Scope<'a> {
    pub(crate) fn empty(parent: Option<&'a Scope<'a>>) -> Self {
        Self {
            relations: Rc::default(),
            aliases: Rc::default(),
            aliases_first: false,
            mode: Mode::Row,
            parent,
            ctes: Rc::default(),
        }
    }

    /// The same names under another mode.
    pub(crate) fn with_mode<'b>(&self, mode: Mode<'b>) -> Scope<'b>
    where
        'a: 'b,
    {
        Scope {
            relations: Rc::clone(&self.relations),
            aliases: Rc::clone(&self.aliases),
            aliases_first: self.aliases_first,
            mode,
            parent: self.parent,
            ctes: Rc::clone(&self.ctes),
        }
    }

    pub(crate) fn push(&mut self, relation: Relation) {
        Rc::make_mut(&mut self.relations).push(relation);
    }

    /// Reads a possibly qualified column, and fields of a struct behind it.
    pub(crate) fn resolve(&self, name: &[String]) -> Result<Typed, SqlError> {
        match self.find(name)? {
            // Each use of a column is written out, so that naming large ones again and again would double them.
            Some(value) if value.kind.size() > LARGEST_TYPE => Err(SqlError::unsupported("types this large")),
            Some(value) => Ok(value),
            None => Err(SqlError::column_not_found(name, &self.suggestions(name))),
        }
    }

    fn find(&self, name: &[String]) -> Result<Option<Typed>, SqlError> {
        if self.aliases_first
            && let Some(value) = self.alias(name)
        {
            return Ok(Some(value));
        }
        for qualifiers in (0..name.len()).rev() {
            let Some((column, fields)) = name.get(qualifiers..).and_then(<[String]>::split_first) else { continue };
            let qualifier = name.get(..qualifiers).unwrap_or_default();
            let mut found = None;
            for relation in self.relations.iter().filter(|relation| relation.answers_to(qualifier)) {
                for readable in &relation.columns {
                    if !readable.name.eq_ignore_ascii_case(column) || (qualifier.is_empty() && readable.hidden) {
                        continue;
                    }
                    if found.is_some() {
                        return Err(SqlError::ambiguous(&name.join("`.`")));
                    }
                    found = Some(&readable.value);
                }
            }
            if let Some(value) = found {
                self.check_group(value, name)?;
                return fields.iter().try_fold(value.clone(), |value, field| access(&value, field)).map(Some);
            }
        }
        if let Some(value) = self.alias(name) {
            return Ok(Some(value));
        }
        match self.parent {
            Some(parent) => parent.find(name),
            None => Ok(None),
        }
    }

    fn alias(&self, name: &[String]) -> Option<Typed> {
        let [name] = name else { return None };
        self.aliases.iter().rev().find(|(alias, _)| alias.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    }

    fn check_group(&self, value: &Typed, name: &[String]) -> Result<(), SqlError> {
        match self.mode {
            Mode::Group(groups) if !groups.contains(&value.sql) => {
                Err(SqlError::missing_aggregation(name.last().map_or("", String::as_str)))
            }
            _ => Ok(()),
        }
    }

    /// The five nearest names, as Databricks suggests.
    fn suggestions(&self, name: &[String]) -> Vec<String> {
        let wanted = name.last().map_or("", String::as_str).to_lowercase();
        let mut names: Vec<(usize, String)> = self
            .relations
            .iter()
            .flat_map(|relation| relation.columns.iter())
            .filter(|column| !column.hidden)
            .map(|column| (distance(&wanted, &column.name.to_lowercase()), column.name.clone()))
            .collect();
        names.sort();
        names.dedup();
        names.into_iter().take(5).map(|(_, name)| name).collect()
    }
}

impl Relation {
    pub(crate) fn answers_to(&self, qualifier: &[String]) -> bool {
        let skip = self.names.len().checked_sub(qualifier.len());
        skip.is_some_and(|skip| {
            self.names.iter().skip(skip).zip(qualifier).all(|(name, asked)| name.eq_ignore_ascii_case(asked))
        })
    }
}

/// Reads a field of a struct.
pub(crate) fn access(value: &Typed, field: &str) -> Result<Typed, SqlError> {
    if let Type::Map(key, kind) = &value.kind
        && **key == Type::String
    {
        return Ok(Typed::new(format!("dbx_map_get({}, {})", value.sql, text_literal(field)), (**kind).clone()));
    }
    // Of a list of structs, the field of each.
    if let Type::Array(item) = &value.kind
        && matches!(**item, Type::Struct(_))
    {
        let Typed { kind, .. } = access(&Typed::new("", (**item).clone()), field)?;
        let sql = format!("dbx_list_fields({}, {})", value.sql, text_literal(field));
        return Ok(Typed::new(sql, Type::Array(Box::new(kind))));
    }
    let Type::Struct(fields) = &value.kind else {
        return Err(SqlError::new(
            "INVALID_EXTRACT_BASE_FIELD_TYPE",
            &format!(
                "Can't extract a value from \"{field}\". Need a complex type [STRUCT, ARRAY, MAP] but got \"{}\".",
                value.kind.text()
            ),
            "42000",
        ));
    };
    match fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(field)) {
        Some((name, kind)) => Ok(Typed::new(
            format!("json_extract({}, {})", value.sql, text_literal(&format!("$.\"{name}\""))),
            kind.clone(),
        )),
        None => Err(SqlError::new("FIELD_NOT_FOUND", &format!("No such struct field `{field}`."), "42704")),
    }
}

#[derive(Debug)]
pub(crate) struct Compiler<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) session: &'a Session,
    aliases: Cell<usize>,
    depth: usize,
    nesting: Cell<usize>,
    /// What was put in the place of names so far.
    inlined: Rc<Cell<usize>>,
    /// Ends a compilation that takes too long: nothing else reads the catalog meanwhile.
    limit: Cancel,
    /// The functions whose bodies are being compiled.
    routines: RefCell<Vec<Name>>,
}

/// Expressions within expressions, at most; the engine's stack is made for it.
const NESTING: usize = 600;
/// Bytes of the queries, with the parts of their types, that a statement puts in the place of their names, at most.
const MOST_INLINED: usize = 4 << 20;
/// Parts of the type of a column that is used, at most.
const LARGEST_TYPE: usize = 300;
/// How long a statement may compile.
const LONGEST_COMPILATION: Duration = Duration::from_secs(5);
/// Views within views, at most.
const VIEW_DEPTH: usize = 20;

impl<'a> Compiler<'a> {
    pub(crate) fn new(catalog: &'a Catalog, session: &'a Session) -> Self {
        Self {
            catalog,
            session,
            aliases: Cell::new(0),
            depth: 0,
            nesting: Cell::new(0),
            inlined: Rc::default(),
            limit: Cancel::within(LONGEST_COMPILATION),
            routines: RefCell::default(),
        }
    }

    /// Counts a query that is put in the place of its name. Two uses of each in the next would double the statement
    /// with each step.
    pub(super) fn inline(&self, compiled: &Compiled) -> Result<(), SqlError> {
        let types: usize = compiled.columns.iter().map(|column| column.kind.size()).sum();
        let inlined = self.inlined.get().saturating_add(compiled.sql.len()).saturating_add(types);
        self.inlined.set(inlined);
        if inlined > MOST_INLINED {
            return Err(SqlError::unsupported(
                "statements this large, with the queries that they name in their places",
            ));
        }
        Ok(())
    }

    /// Guards the stack against expressions within expressions, and the other statements against one without end.
    pub(crate) fn deeper<T>(&self, body: impl FnOnce() -> Result<T, SqlError>) -> Result<T, SqlError> {
        if self.limit.is_canceled() {
            return Err(SqlError::unsupported("statements that take this long to compile"));
        }
        let nesting = self.nesting.get();
        if nesting >= NESTING {
            return Err(SqlError::unsupported("expressions nested this deep"));
        }
        self.nesting.set(nesting + 1);
        let result = body();
        self.nesting.set(nesting);
        result
    }

    /// Compiles the body of a function; guards against functions that call themselves.
    pub(crate) fn within<T>(&self, routine: &Name, body: impl FnOnce() -> Result<T, SqlError>) -> Result<T, SqlError> {
        if self.routines.borrow().contains(routine) || self.routines.borrow().len() >= VIEW_DEPTH {
            return Err(SqlError::unsupported("functions that call themselves or nest this deep"));
        }
        self.routines.borrow_mut().push(routine.clone());
        let result = self.deeper(body);
        self.routines.borrow_mut().pop();
        result
    }

    /// A name nothing else in the statement has.
    pub(crate) fn alias(&self) -> String {
        let number = self.aliases.get();
        self.aliases.set(number + 1);
        format!("r{number}")
    }

    /// Compiles the query of a view, where its names were resolved; guards against views that name themselves.
    pub(crate) fn in_view<T>(
        &self,
        session: &Session,
        body: impl FnOnce(&Compiler<'_>) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        if self.depth >= VIEW_DEPTH {
            return Err(SqlError::new("RECURSIVE_VIEW", "The view refers to itself or nests too deep.", "42K0H"));
        }
        body(&Compiler {
            catalog: self.catalog,
            session,
            aliases: Cell::new(0),
            depth: self.depth + 1,
            nesting: Cell::new(self.nesting.get()),
            inlined: Rc::clone(&self.inlined),
            limit: self.limit.clone(),
            routines: self.routines.clone(),
        })
    }

    /// A full `catalog.schema.name` from one that may lack its first parts.
    pub(crate) fn qualify(&self, name: &[String]) -> Result<[String; 3], SqlError> {
        let lower = |part: &String| part.to_lowercase();
        match name {
            [table] => Ok([self.session.catalog.clone(), self.session.schema.clone(), lower(table)]),
            [schema, table] => Ok([self.session.catalog.clone(), lower(schema), lower(table)]),
            [catalog, schema, table] => Ok([lower(catalog), lower(schema), lower(table)]),
            _ => Err(SqlError::new("IDENTIFIER_TOO_MANY_NAME_PARTS", "A table name has at most three parts.", "42601")),
        }
    }
}

/// A name in SQLite's quotes.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string in SQLite's quotes. SQLite's text ends at NUL, so that is refused upstream.
pub(crate) fn text_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut last = i + 1;
        let mut next = vec![last];
        for (right, above) in b.chars().zip(row.iter().skip(1)) {
            last = (diagonal + usize::from(left != right)).min(above + 1).min(last + 1);
            diagonal = *above;
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use sqlparser::ast::{Expr, Value};

    use super::*;

    #[test]
    fn a_compilation_ends_in_time() {
        let (catalog, session) = (Catalog::default(), Session::new("someone", 0));
        let mut compiler = Compiler::new(&catalog, &session);
        let one = Expr::Value(Value::Number("1".to_owned(), false).into());
        assert_eq!(compiler.expr(&one, &Scope::empty(None)).unwrap().sql, "1");
        compiler.limit = Cancel::default();
        compiler.limit.cancel();
        let error = compiler.expr(&one, &Scope::empty(None)).unwrap_err();
        assert!(error.message.contains("take this long to compile"), "{}", error.message);
    }
}
