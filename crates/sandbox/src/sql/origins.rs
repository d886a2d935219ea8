//! Which columns a plain SELECT makes its columns of, by its text: what lineage asks of a view.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, SelectItem, SetExpr, Statement, TableFactor, visit_expressions};

use super::parse::{parts, statement, tokens};
use crate::stack::on_large_stack;

/// What the columns of a SELECT are made of.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    /// Full names of tables, each with what the SELECT calls it.
    names: Vec<(String, String)>,
    /// Of each column of the result: the columns in its expression, with the table before the dot.
    columns: Vec<Vec<(Option<String>, String)>>,
}

impl Origins {
    /// Nothing where the columns cannot be told apart: behind `*`, set operations and subqueries.
    pub(crate) fn of(sql: &str) -> Option<Self> {
        on_large_stack(|| Self::read(sql)).flatten()
    }

    fn read(sql: &str) -> Option<Self> {
        let Statement::Query(query) = statement(sql, tokens(sql).ok()?).ok()? else { return None };
        let SetExpr::Select(select) = *query.body else { return None };
        let mut origins = Self::default();
        for from in &select.from {
            for factor in std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)) {
                let TableFactor::Table { name, alias, .. } = factor else { return None };
                let name = parts(name).ok()?;
                let called = alias.as_ref().map(|alias| &alias.name.value).or(name.last())?.to_lowercase();
                origins.names.push((name.join(".").to_lowercase(), called));
            }
        }
        for item in &select.projection {
            let (SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. }) = item
            else {
                return None;
            };
            origins.columns.push(columns(expression));
        }
        Some(origins)
    }

    /// The columns of a table by the places of the columns that are made of them. One that several tables may have is
    /// taken for a column of each.
    pub(crate) fn of_table(&self, full_name: &str) -> Vec<(String, usize)> {
        let called: Vec<_> =
            self.names.iter().filter(|(name, _)| name == full_name).map(|(_, called)| called).collect();
        let is_of = |qualifier: &Option<String>| qualifier.as_ref().is_none_or(|qualifier| called.contains(&qualifier));
        let mut found = Vec::new();
        for (place, columns) in self.columns.iter().enumerate() {
            let of_table = columns.iter().filter(|(qualifier, _)| is_of(qualifier));
            found.extend(of_table.map(|(_, column)| (column.clone(), place)));
        }
        found.sort();
        found.dedup();
        found
    }
}

/// The columns that an expression reads.
fn columns(expression: &Expr) -> Vec<(Option<String>, String)> {
    let mut columns = Vec::new();
    let _ = visit_expressions(expression, |expression| {
        match expression {
            Expr::Identifier(column) => columns.push((None, column.value.to_lowercase())),
            Expr::CompoundIdentifier(parts) => {
                if let [.., table, column] = parts.as_slice() {
                    columns.push((Some(table.value.to_lowercase()), column.value.to_lowercase()));
                }
            }
            _ => {}
        }
        ControlFlow::<()>::Continue(())
    });
    columns
}
