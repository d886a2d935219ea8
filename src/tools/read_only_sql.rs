//! Tells queries from everything else, by parsing: what cannot be parsed counts as more than a query.

use std::ops::ControlFlow;

use sqlparser::ast::{Select, Statement, Visit, Visitor};
use sqlparser::dialect::DatabricksDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::Error;

/// Refuses every statement that is not a query, or shows or explains something.
pub(crate) fn check(sql: &str) -> Result<(), Error> {
    if only_tells(sql) {
        return Ok(());
    }
    let statements = Parser::parse_sql(&DatabricksDialect {}, sql).map_err(|error| {
        let message = format!("only queries are allowed, and this statement is not understood well enough: {error}");
        Error::failed(message).with_hint("write it as a plain SELECT, SHOW, DESCRIBE or EXPLAIN")
    })?;
    match statements.visit(&mut Reading) {
        ControlFlow::Continue(()) if statements.len() == 1 => Ok(()),
        ControlFlow::Continue(()) => Err(Error::failed("give exactly one statement")),
        ControlFlow::Break(what) => Err(Error::failed(format!("only queries are allowed, and this is {what}"))),
    }
}

/// Whether it is one SHOW or DESCRIBE statement. These only tell something in all their forms, many of which
/// the parser does not know.
fn only_tells(sql: &str) -> bool {
    let Ok(tokens) = Tokenizer::new(&DatabricksDialect {}, sql).tokenize() else { return false };
    let mut tokens = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_)));
    let tells = |token: &&Token| {
        matches!(token, Token::Word(word) if word.quote_style.is_none()
            && ["SHOW", "DESCRIBE", "DESC"].iter().any(|known| known.eq_ignore_ascii_case(&word.value)))
    };
    let is_told = tokens.next().is_some_and(|token| tells(&token));
    // A semicolon may end the statement, and nothing may follow it.
    is_told && tokens.skip_while(|token| **token != Token::SemiColon).nth(1).is_none()
}

struct Reading;

impl Visitor for Reading {
    type Break = &'static str;

    /// Also sees statements inside others, such as `WITH … INSERT` and `EXPLAIN`.
    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<&'static str> {
        match statement {
            Statement::Query(_)
            | Statement::Explain { .. }
            | Statement::ExplainTable { .. }
            | Statement::ShowCatalogs { .. }
            | Statement::ShowColumns { .. }
            | Statement::ShowCreate { .. }
            | Statement::ShowDatabases { .. }
            | Statement::ShowFunctions { .. }
            | Statement::ShowSchemas { .. }
            | Statement::ShowTables { .. }
            | Statement::ShowVariable { .. }
            | Statement::ShowViews { .. } => ControlFlow::Continue(()),
            _ => ControlFlow::Break("a statement that can change something"),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<&'static str> {
        match select.into {
            Some(_) => ControlFlow::Break("a SELECT INTO, which makes a table"),
            None => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn queries_pass() {
        for sql in [
            "SELECT 1",
            "select * from a.b.c where x = :day limit 3;",
            "WITH t AS (SELECT 1 AS n) SELECT n FROM t UNION ALL SELECT 2",
            "SHOW TABLES IN samples.retail",
            "SHOW CATALOGS",
            "DESCRIBE TABLE samples.retail.orders",
            "desc detail samples.retail.orders;",
            "/* what is there */ SHOW TBLPROPERTIES t",
            "EXPLAIN SELECT count(*) FROM t",
            "VALUES (1, 2)",
            "SELECT 'DROP TABLE x' AS text -- DELETE FROM x",
        ] {
            assert!(check(sql).is_ok(), "{sql}: {:?}", check(sql));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for sql in [
            "INSERT INTO t VALUES (1)",
            "UPDATE t SET a = 1",
            "DELETE FROM t",
            "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE",
            "DROP TABLE t",
            "CREATE TABLE t AS SELECT 1",
            "ALTER TABLE t ADD COLUMN a INT",
            "TRUNCATE TABLE t",
            "GRANT SELECT ON t TO `a@b.test`",
            "USE CATALOG main",
            "SET x = 1",
            "OPTIMIZE t",
            "VACUUM t",
            "CALL p()",
            "WITH s AS (SELECT 1) INSERT INTO t SELECT * FROM s",
            "EXPLAIN ANALYZE DELETE FROM t",
            "SELECT 1 INTO t",
            "SELECT 1; DROP TABLE t",
            "SELECT 1; SELECT 2",
            "SHOW TABLES; DROP TABLE t",
            "DESCRIBE t;;DROP TABLE t",
            "`SHOW` TABLES",
            "COPY INTO t FROM '/Volumes/x' FILEFORMAT = CSV",
            "not sql at all",
            "",
            "/* SELECT */ DROP TABLE t",
        ] {
            assert!(check(sql).is_err(), "{sql}");
        }
    }

    #[test]
    fn depth_is_no_way_around() {
        let deep = format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000));
        assert!(check(&deep).is_err());
    }
}
