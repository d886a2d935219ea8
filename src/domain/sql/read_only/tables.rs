//! The tables that a statement reads and writes, by the names in the statement.
//!
//! A name is only given where it is sure which table it means. Whatever could reach a table in another way, such as a
//! user-defined function, a table function, `TABLE(…)`, a path or a form that the parser does not know, makes the whole
//! statement unclear, and so does a name of a common table expression that could also be that of a table. A view is a
//! name as a table is: what it reads was decided by who made it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, FromTable, Ident, ObjectName, ObjectNamePart, ObjectType, PipeOperator, Query, Select, Statement,
    TableFactor, TableObject, Visit, Visitor,
};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::constants::Constants;
use super::dialect::Databricks;
use super::functions::{self, Class, Rule};
use super::names::fold;
use super::query::Refusal;
use super::rewrite::rewrite;
use super::words::is_word;
use super::{Circumstances, PLANS, in_all_readings, thread};
use crate::error::Error;

/// Words after which a new table may be more than its columns and a query.
const REACHING: [&str; 9] =
    ["CLONE", "COPY", "DIRECTORY", "FILES", "LIKE", "LOCATION", "OPTIONS", "TBLPROPERTIES", "USING"];

/// A table of a statement: its full name, and whether the statement writes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TableUse {
    pub(crate) parts: Vec<String>,
    pub(crate) writes: bool,
}

/// The tables of a statement in any of its readings, or why nobody can be sure of them.
pub(crate) async fn tables(
    sql: &str,
    circumstances: Circumstances,
    schema: Option<String>,
) -> Result<Result<Vec<TableUse>, String>, Error> {
    let sql = sql.to_owned();
    thread::run(move || {
        let found = std::cell::RefCell::new(BTreeSet::new());
        let session = Session { catalog: circumstances.catalog.clone(), schema };
        let judged = in_all_readings(&sql, &circumstances, |tokens, constants| {
            found.borrow_mut().extend(of_statement(tokens, constants, &session).map_err(Refusal::Unclear)?);
            Ok(())
        });
        match judged {
            Ok(()) => Ok(found.into_inner().into_iter().collect()),
            Err(Refusal::Unclear(why) | Refusal::Denied(why)) => Err(why),
            Err(Refusal::Several) => Err("it is not one complete statement".to_owned()),
        }
    })
    .await
}

/// Where names without a catalog or a schema are looked for.
#[derive(Debug)]
struct Session {
    catalog: Option<String>,
    schema: Option<String>,
}

impl Session {
    /// The full name of a table.
    fn resolve(&self, name: &ObjectName) -> Result<Vec<String>, String> {
        let parts = name.0.iter().map(|part| match part {
            ObjectNamePart::Identifier(part) if !matches!(part.quote_style, Some('\'' | '"')) => Some(part),
            ObjectNamePart::Identifier(_) | ObjectNamePart::Function(_) => None,
        });
        let parts = parts.collect::<Option<Vec<&Ident>>>().ok_or("a name of a table is computed, or a string")?;
        let mut parts: Vec<_> = parts.into_iter().map(|part| part.value.clone()).collect();
        if parts.iter().any(|part| part.contains(['/', ':', '\\'])) {
            return Err("it reads files by a path".to_owned());
        }
        let given = |name: &Option<String>| name.clone().filter(|name| !name.trim().is_empty());
        if parts.len() == 1 {
            parts.insert(0, given(&self.schema).ok_or_else(|| lacks(&parts, "schema"))?);
        }
        if parts.len() == 2 {
            parts.insert(0, given(&self.catalog).ok_or_else(|| lacks(&parts, "catalog"))?);
        }
        if parts.len() == 3 { Ok(parts) } else { Err(format!("`{}` has more than three parts", parts.join("."))) }
    }
}

fn lacks(parts: &[String], what: &str) -> String {
    format!("`{}` has no {what}: write its full name, or pass `catalog` and `schema`", parts.join("."))
}

fn of_statement(tokens: &[Token], _: &Constants, session: &Session) -> Result<BTreeSet<TableUse>, String> {
    let tokens = match tokens.split_first() {
        None => return Ok(BTreeSet::new()),
        Some((first, after)) if is_word(first, &["EXPLAIN"]) => match after.split_first() {
            Some((plan, planned)) if is_word(plan, &PLANS) => planned,
            _ => after,
        },
        Some(_) => tokens,
    };
    check_words(tokens)?;
    let dialect = Databricks::for_tokens(tokens.len());
    let parser = Parser::new(&dialect).with_tokens(rewrite(tokens));
    let statements = { parser }.parse_statements().map_err(|error| error.to_string())?;
    let [statement] = statements.as_slice() else { return Err("it is not a statement".to_owned()) };
    let mut found = BTreeSet::new();
    for target in targets(statement)? {
        found.insert(TableUse { parts: session.resolve(target)?, writes: true });
    }
    let mut reading = Reading { session, scopes: Vec::new(), visible: HashMap::new(), found };
    match statement.visit(&mut reading) {
        ControlFlow::Break(why) => Err(*why),
        ControlFlow::Continue(()) => Ok(reading.found),
    }
}

/// Refuses words by which a statement reaches tables that the parser does not show, wherever they stand.
fn check_words(tokens: &[Token]) -> Result<(), String> {
    // `CREATE OR REPLACE TABLE t`, `INSERT INTO TABLE t`, `DROP TABLE t`
    let is_table = |token: &Token| is_word(token, &["TABLE"]);
    let named = tokens.iter().take(4).filter(|token| is_table(token)).count();
    let writes = tokens.first().is_some_and(|first| is_word(first, &["CREATE", "INSERT", "DROP"]));
    if tokens.iter().filter(|token| is_table(token)).count() > if writes { named.min(1) } else { 0 } {
        return Err("it reads a table by the word `TABLE`".to_owned());
    }
    for pair in tokens.windows(2) {
        let [Token::Word(word), Token::LParen] = pair else { continue };
        if functions::built_in(&word.value).is_some_and(|function| !is_harmless(function.class, function.rule)) {
            return Err(format!("`{}` may read tables or files", word.value.to_lowercase()));
        }
    }
    Ok(())
}

fn is_harmless(class: Class, rule: Rule) -> bool {
    matches!(class, Class::Pure | Class::Costs) && rule == Rule::Any
}

/// The tables that a statement writes. One that is not known here may reach anything.
fn targets(statement: &Statement) -> Result<Vec<&ObjectName>, String> {
    let of_factor = |factor: &'_ TableFactor| match factor {
        TableFactor::Table { .. } => Ok(()),
        _ => Err("it writes to something that is not a table".to_owned()),
    };
    match statement {
        Statement::Query(_) => Ok(Vec::new()),
        Statement::Insert(insert) => match &insert.table {
            TableObject::TableName(name) => Ok(vec![name]),
            _ => Err("it writes to something that is not a table".to_owned()),
        },
        Statement::Delete(delete) => {
            let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
            match (from.as_slice(), delete.tables.as_slice(), &delete.using) {
                ([table], [], None) if table.joins.is_empty() => {
                    of_factor(&table.relation).and(Ok(name(&table.relation)))
                }
                _ => Err("it deletes from several tables".to_owned()),
            }
        }
        Statement::Update(update) if update.table.joins.is_empty() && update.from.is_none() => {
            of_factor(&update.table.relation).and(Ok(name(&update.table.relation)))
        }
        Statement::Merge(merge) => of_factor(&merge.table).and(Ok(name(&merge.table))),
        Statement::Drop { object_type: ObjectType::Table | ObjectType::View, names, table: None, .. } => {
            Ok(names.iter().collect())
        }
        Statement::CreateTable(table) => {
            let text = statement.to_string();
            let reaches = text
                .split(|letter: char| !letter.is_alphanumeric())
                .any(|word| REACHING.iter().any(|reaching| word.eq_ignore_ascii_case(reaching)));
            match reaches || table.like.is_some() || table.clone.is_some() {
                true => Err("it creates a table from more than columns and a query".to_owned()),
                false => Ok(vec![&table.name]),
            }
        }
        _ => Err("it is a statement whose tables are not known".to_owned()),
    }
}

fn name(factor: &TableFactor) -> Vec<&ObjectName> {
    match factor {
        TableFactor::Table { name, .. } => vec![name],
        _ => Vec::new(),
    }
}

/// Boxed, as the visitor recurses with it.
type Flow = ControlFlow<Box<String>>;

fn unclear(why: impl Into<String>) -> Flow {
    ControlFlow::Break(Box::new(why.into()))
}

struct Reading<'a> {
    session: &'a Session,
    /// The names of the common table expressions of the queries around, from the outermost on.
    scopes: Vec<Vec<String>>,
    /// The same names, and how many of these queries have each: a statement may have thousands of both.
    visible: HashMap<String, usize>,
    found: BTreeSet<TableUse>,
}

/// The tables without a qualifier within a query.
#[derive(Default)]
struct Bare(HashSet<String>);

impl Visitor for Bare {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        if let [ObjectNamePart::Identifier(name)] = relation.0.as_slice() {
            self.0.insert(fold(&name.value));
        }
        ControlFlow::Continue(())
    }
}

impl Visitor for Reading<'_> {
    type Break = Box<String>;

    fn pre_visit_statement(&mut self, statement: &Statement) -> Flow {
        match targets(statement) {
            Ok(targets) => {
                for target in targets {
                    match self.session.resolve(target) {
                        Ok(parts) => _ = self.found.insert(TableUse { parts, writes: true }),
                        Err(why) => return unclear(why),
                    }
                }
                ControlFlow::Continue(())
            }
            Err(why) => unclear(why),
        }
    }

    fn pre_visit_query(&mut self, query: &Query) -> Flow {
        if query.pipe_operators.iter().any(|operator| matches!(operator, PipeOperator::Call { .. })) {
            return unclear("`|> CALL` may reach anything");
        }
        let mut names: Vec<String> = Vec::new();
        if let Some(with) = &query.with {
            names = with.cte_tables.iter().map(|table| fold(&table.alias.name.value)).collect();
            let places: HashMap<&String, usize> = names.iter().zip(0..).collect();
            for (index, table) in with.cte_tables.iter().enumerate() {
                let mut bare = Bare::default();
                let _ = table.query.visit(&mut bare);
                // In its own query, and in those before it, a name is not yet that of the expression.
                let first = if with.recursive { index + 1 } else { index };
                if let Some(name) = bare.0.iter().find(|name| places.get(name).is_some_and(|place| *place >= first)) {
                    return unclear(format!("`{name}` may be a table or a common table expression"));
                }
            }
        }
        for name in &names {
            *self.visible.entry(name.clone()).or_default() += 1;
        }
        self.scopes.push(names);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> Flow {
        for name in self.scopes.pop().into_iter().flatten() {
            if let Some(count) = self.visible.get_mut(&name) {
                *count = count.saturating_sub(1);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> Flow {
        if select.into.is_some() { unclear("it is a SELECT INTO") } else { ControlFlow::Continue(()) }
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> Flow {
        if let [ObjectNamePart::Identifier(name)] = relation.0.as_slice()
            && self.visible.get(&fold(&name.value)).is_some_and(|count| *count > 0)
        {
            return ControlFlow::Continue(());
        }
        match self.session.resolve(relation) {
            Ok(parts) => {
                self.found.insert(TableUse { parts, writes: false });
                ControlFlow::Continue(())
            }
            Err(why) => unclear(why),
        }
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> Flow {
        match table {
            TableFactor::Table { args: None, with_hints, .. } if with_hints.is_empty() => ControlFlow::Continue(()),
            TableFactor::Derived { .. }
            | TableFactor::NestedJoin { .. }
            | TableFactor::Pivot { .. }
            | TableFactor::Unpivot { .. } => ControlFlow::Continue(()),
            _ => unclear("a function or a table with options takes the place of a table"),
        }
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> Flow {
        let Expr::Function(function) = expression else { return ControlFlow::Continue(()) };
        let name = match function.name.0.as_slice() {
            [ObjectNamePart::Identifier(name)] => functions::built_in(&name.value),
            _ => None,
        };
        match name.is_some_and(|known| is_harmless(known.class, known.rule)) {
            true => ControlFlow::Continue(()),
            false => unclear(format!("`{}` may read tables or files", function.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn found(sql: &str) -> Result<Vec<String>, String> {
        let circumstances = Circumstances {
            parameters: vec![("t".to_owned(), Some("prod.hr.people".to_owned()))],
            catalog: Some("main".to_owned()),
            ..Circumstances::default()
        };
        let tables = tables(sql, circumstances, Some("default".to_owned())).await.expect("checked")?;
        let shown = |table: TableUse| format!("{}{}", if table.writes { ">" } else { "" }, table.parts.join("."));
        Ok(tables.into_iter().map(shown).collect())
    }

    /// Thousands of names of both kinds took the product of their counts, a minute for one statement.
    #[tokio::test]
    async fn many_expressions_make_many_tables_no_slower() {
        let time = async |expressions: usize| {
            let with: Vec<_> = (0..expressions).map(|number| format!("c{number} AS (SELECT 1)")).collect();
            let from: Vec<_> = (0..8_000).map(|number| format!("t{number}")).collect();
            let sql = format!("WITH {} SELECT * FROM {}", with.join(", "), from.join(", "));
            let began = std::time::Instant::now();
            assert_eq!(found(&sql).await.map(|tables| tables.len()), Ok(8_000));
            began.elapsed()
        };
        let few = time(1).await;
        let many = time(2_000).await;
        assert!(many < few * 8, "{many:?} for 2,000 expressions, {few:?} for one");
    }

    #[tokio::test]
    async fn tables_are_found_under_whatever_name() {
        for (sql, expected) in [
            ("SELECT 1", ""),
            ("SELECT * FROM prod.hr.people", "prod.hr.people"),
            ("SELECT * FROM `prod` . /* x */ `hr` -- y\n . people", "prod.hr.people"),
            ("SELECT * FROM PROD.hr.People p JOIN orders o ON p.id = o.id", "PROD.hr.People main.default.orders"),
            ("FROM prod.hr.people SELECT name", "prod.hr.people"),
            ("FROM prod.hr.people |> WHERE id = 1 |> SELECT name", "prod.hr.people"),
            ("SELECT * FROM a |> JOIN prod.hr.people USING (id)", "main.default.a prod.hr.people"),
            ("SELECT * FROM prod.hr.people VERSION AS OF 3", "prod.hr.people"),
            ("SELECT * FROM prod.hr.people@v3", "prod.hr.people"),
            ("SELECT * FROM prod.hr.people TIMESTAMP AS OF '2026-01-01'", "prod.hr.people"),
            ("SELECT (SELECT max(id) FROM prod.hr.people)", "prod.hr.people"),
            ("SELECT 1 WHERE EXISTS (SELECT 1 FROM prod.hr.people)", "prod.hr.people"),
            ("SELECT 1 ORDER BY (SELECT max(id) FROM prod.hr.people)", "prod.hr.people"),
            ("SELECT * FROM a WHERE b IN (SELECT b FROM prod.hr.people)", "main.default.a prod.hr.people"),
            ("SELECT 1 UNION ALL (SELECT id FROM prod.hr.people)", "prod.hr.people"),
            ("WITH people AS (SELECT * FROM prod.hr.people) SELECT * FROM people", "prod.hr.people"),
            ("WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM b JOIN c", "main.default.c"),
            ("SELECT * FROM people UNION (WITH people AS (SELECT 1) SELECT * FROM people)", "main.default.people"),
            ("SELECT * FROM IDENTIFIER('prod.hr.people')", "prod.hr.people"),
            ("SELECT * FROM IDENTIFIER(:t)", "prod.hr.people"),
            ("SELECT * FROM IDENTIFIER('prod' || '.hr' || '.people')", "prod.hr.people"),
            ("EXPLAIN EXTENDED SELECT * FROM prod.hr.people", "prod.hr.people"),
            ("INSERT INTO dev.a.b SELECT * FROM prod.hr.people", "dev.a.b >dev.a.b prod.hr.people"),
            ("INSERT OVERWRITE dev.a.b SELECT 1", "dev.a.b >dev.a.b"),
            ("INSERT INTO TABLE b VALUES (1)", "main.default.b >main.default.b"),
            ("CREATE OR REPLACE TABLE dev.a.b AS SELECT * FROM prod.hr.people", "dev.a.b >dev.a.b prod.hr.people"),
            ("CREATE TABLE b (id INT)", "main.default.b >main.default.b"),
            (
                "DELETE FROM b WHERE id IN (SELECT id FROM prod.hr.people)",
                "main.default.b >main.default.b prod.hr.people",
            ),
            ("UPDATE b SET id = 1", "main.default.b >main.default.b"),
            ("DROP TABLE IF EXISTS prod.hr.people", ">prod.hr.people"),
            (
                "MERGE INTO b USING prod.hr.people p ON b.id = p.id WHEN MATCHED THEN UPDATE SET id = 1",
                "main.default.b >main.default.b prod.hr.people",
            ),
        ] {
            let mut expected: Vec<_> = expected.split_whitespace().map(str::to_owned).collect();
            let mut found = found(sql).await.map_err(|why| format!("{sql}: {why}"));
            if let Ok(found) = &mut found {
                found.sort();
            }
            expected.sort();
            assert_eq!(found, Ok(expected), "{sql}");
        }
    }

    #[tokio::test]
    async fn what_may_reach_other_tables_is_unclear() {
        for sql in [
            "TABLE prod.hr.people",
            "SELECT 1 UNION TABLE prod.hr.people",
            "SELECT * FROM table_changes('prod.hr.people', 0)",
            "SELECT * FROM read_files('/Volumes/prod/hr/files')",
            "SELECT * FROM csv.`/Volumes/prod/hr/files`",
            "SELECT * FROM delta.`s3://bucket/prod`",
            "SELECT * FROM my_function(1)",
            "SELECT main.tools.read_people()",
            "SELECT unknown_function(1)",
            "SELECT * FROM f(TABLE(prod.hr.people))",
            "SELECT * FROM IDENTIFIER(concat('prod', '.hr.people'))",
            "EXECUTE IMMEDIATE 'SELECT * FROM prod.hr.people'",
            "BEGIN SELECT * FROM prod.hr.people; END",
            "SHOW TABLES IN prod.hr",
            "DESCRIBE TABLE prod.hr.people",
            "DESCRIBE HISTORY prod.hr.people",
            "COPY INTO dev.a.b FROM '/Volumes/prod/hr/files' FILEFORMAT = CSV",
            "CREATE TABLE dev.a.b SHALLOW CLONE prod.hr.people",
            "CREATE TABLE dev.a.b LIKE prod.hr.people",
            "CREATE TABLE dev.a.b USING delta LOCATION 's3://bucket/prod'",
            "CREATE VIEW dev.a.b AS SELECT * FROM prod.hr.people",
            "ALTER TABLE prod.hr.people RENAME TO dev.a.people",
            "DROP SCHEMA prod.hr CASCADE",
            "TRUNCATE TABLE prod.hr.people",
            "GRANT SELECT ON TABLE prod.hr.people TO x",
            "REFRESH TABLE prod.hr.people",
            "OPTIMIZE prod.hr.people",
            "RESTORE TABLE prod.hr.people TO VERSION AS OF 1",
            "CALL main.tools.p()",
            "USE CATALOG prod",
            "SET x = 1",
            "SELECT 1; SELECT * FROM prod.hr.people",
            // The name of an expression is that of a table within its own query.
            "WITH people AS (SELECT * FROM people) SELECT * FROM people",
            "WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a",
            "INSERT OVERWRITE DIRECTORY '/Volumes/a/b/c' SELECT * FROM prod.hr.people",
        ] {
            let tables = found(sql).await;
            assert!(tables.is_err(), "{sql}: {tables:?}");
        }
        let alone = Circumstances::default();
        for sql in ["SELECT * FROM orders", "SELECT * FROM sales.orders"] {
            let tables = tables(sql, alone.clone(), Some("s".to_owned())).await.expect("checked");
            assert!(tables.is_err_and(|why| why.contains("has no catalog")), "{sql}");
        }
    }
}
