//! A query, as the parser understands it: what it may contain, and what its functions and tables may be.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArguments, Ident, ObjectName, ObjectNamePart, PipeOperator, Query, Select,
    Statement, TableFactor, Visit, Visitor,
};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use crate::domain::sql::read_only::constants::Constants;
use crate::domain::sql::read_only::dialect::Databricks;
use crate::domain::sql::read_only::functions::{self, Call, Rule};
use crate::domain::sql::read_only::names::table_refusal;
use crate::domain::sql::read_only::rewrite::rewrite;

/// Why a statement is refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The parser does not understand it.
    Unclear(String),
    /// It does more than is allowed.
    Denied(String),
    /// There are several statements.
    Several,
}

/// What is allowed in a statement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowed {
    /// Statements that write, as these are only planned.
    pub(super) writes: bool,
    /// Functions that people made.
    pub(super) user_functions: bool,
}

/// Refuses whatever is not one query, and a query that reaches out.
pub(super) fn check(tokens: &[Token], constants: &Constants, allowed: Allowed) -> Result<(), Refusal> {
    let ruled = tokens.windows(2).filter(|pair| matches!(pair, [name, Token::LParen] if has_rule(name))).count();
    let dialect = Databricks::for_tokens(tokens.len());
    let parser = Parser::new(&dialect).with_tokens(rewrite(tokens));
    let statements = { parser }.parse_statements().map_err(|error| Refusal::Unclear(error.to_string()))?;
    let mut reading = Reading { constants, allowed, ruled: 0 };
    match statements.visit(&mut reading) {
        ControlFlow::Break(why) => Err(Refusal::Denied(*why)),
        ControlFlow::Continue(()) if statements.len() != 1 => Err(Refusal::Unclear("it is not a statement".to_owned())),
        // A call that the parser takes for something else has not been looked at.
        ControlFlow::Continue(()) if reading.ruled != ruled => {
            Err(Refusal::Unclear("it uses the name of a built-in function for something else".to_owned()))
        }
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Whether the tokens name a function whose arguments matter, or what may be the path of files.
pub(super) fn has_places(tokens: &[Token]) -> bool {
    let is_path = |token: &Token| matches!(token, Token::Word(word) if word.value.contains(['/', ':', '\\']));
    tokens.iter().any(|token| has_rule(token) || is_path(token))
}

fn has_rule(token: &Token) -> bool {
    let Token::Word(word) = token else { return false };
    functions::built_in(&word.value).is_some_and(|function| function.rule != Rule::Any)
}

struct Reading<'a> {
    constants: &'a Constants,
    allowed: Allowed,
    /// Calls of functions whose arguments matter.
    ruled: usize,
}

/// Boxed, as the visitor recurses with it.
type Flow = ControlFlow<Box<String>>;

fn denied(what: &str) -> Flow {
    ControlFlow::Break(Box::new(what.to_owned()))
}

impl Reading<'_> {
    fn call(&mut self, name: &ObjectName, arguments: &[FunctionArg], is_table: bool) -> Flow {
        let parts = name.0.iter().map(|part| match part {
            ObjectNamePart::Identifier(identifier) => Some(identifier.value.as_str()),
            ObjectNamePart::Function(_) => None,
        });
        let Some(parts) = parts.collect::<Option<Vec<_>>>() else {
            return denied("this calls a function whose name is computed");
        };
        if let [.., name] = parts.as_slice()
            && functions::built_in(name).is_some_and(|function| function.rule != Rule::Any)
        {
            self.ruled += 1;
        }
        let call = Call { name: &parts, arguments, is_table };
        match functions::refusal(call, self.constants, self.allowed.user_functions) {
            Some(why) => ControlFlow::Break(Box::new(why)),
            None => ControlFlow::Continue(()),
        }
    }

    /// A table that is an argument: `TABLE(t)`, or `TABLE(SELECT …)`, whose query is looked at as any other.
    fn table_argument(&self, arguments: &[FunctionArg]) -> Flow {
        match arguments {
            [argument] => match functions::expression(argument) {
                Some(table) => self.table_expression(table),
                None => denied("`TABLE(…)` takes one table or query"),
            },
            _ => denied("`TABLE(…)` takes one table or query"),
        }
    }

    fn table_expression(&self, table: &Expr) -> Flow {
        match table {
            Expr::Identifier(name) => self.parts(std::iter::once(Some(name))),
            Expr::CompoundIdentifier(names) => self.parts(names.iter().map(Some)),
            // These are visited by themselves.
            Expr::Subquery(_) | Expr::Function(_) => ControlFlow::Continue(()),
            _ => denied("`TABLE(…)` takes one table or query"),
        }
    }

    fn table(&self, name: &ObjectName) -> Flow {
        self.parts(name.0.iter().map(ObjectNamePart::as_ident))
    }

    /// A table by the parts of its name.
    fn parts<'p>(&self, parts: impl Iterator<Item = Option<&'p Ident>>) -> Flow {
        let Some(parts) = parts.collect::<Option<Vec<_>>>() else {
            return denied("this reads a table whose name is computed");
        };
        if parts.iter().any(|part| matches!(part.quote_style, Some('\'' | '"'))) {
            return denied("there is a string where the name of a table is expected; quote names with backticks");
        }
        let parts: Vec<_> = parts.iter().map(|part| part.value.as_str()).collect();
        match table_refusal(&parts) {
            Some(why) => ControlFlow::Break(Box::new(why)),
            None => ControlFlow::Continue(()),
        }
    }
}

impl Visitor for Reading<'_> {
    type Break = Box<String>;

    /// Also sees statements inside others, such as `WITH … INSERT`.
    fn pre_visit_statement(&mut self, statement: &Statement) -> Flow {
        match statement {
            Statement::Query(_) => ControlFlow::Continue(()),
            _ if self.allowed.writes => ControlFlow::Continue(()),
            _ => denied("this is a statement that can change something"),
        }
    }

    fn pre_visit_query(&mut self, query: &Query) -> Flow {
        if !query.locks.is_empty() {
            return denied("`FOR UPDATE` and `FOR SHARE` lock rows");
        }
        match query.pipe_operators.iter().any(|operator| matches!(operator, PipeOperator::Call { .. })) {
            true => denied("`|> CALL` calls something that may do more than read"),
            false => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> Flow {
        match select.into {
            Some(_) => denied("this is a SELECT INTO, which creates a table"),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> Flow {
        match table {
            TableFactor::Table { name, args: Some(arguments), .. } => self.call(name, &arguments.args, true),
            TableFactor::Table { with_hints, .. } if !with_hints.is_empty() => {
                denied("a table is read with options, which can do more than read")
            }
            TableFactor::Table { name, .. } => self.table(name),
            TableFactor::Function { name, args, .. } => self.call(name, args, true),
            TableFactor::TableFunction { expr, .. } => self.table_expression(expr),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> Flow {
        let Expr::Function(Function { name, args, .. }) = expression else { return ControlFlow::Continue(()) };
        match args {
            FunctionArguments::List(list) if functions::is_table_keyword(name) => self.table_argument(&list.args),
            FunctionArguments::Subquery(_) if functions::is_table_keyword(name) => ControlFlow::Continue(()),
            FunctionArguments::List(list) => self.call(name, &list.args, false),
            FunctionArguments::None | FunctionArguments::Subquery(_) => self.call(name, &[], false),
        }
    }
}
