//! Recursive common table expressions.
//!
//! Derived: the texts of refusals. As in Databricks, a recursion ends with an error after a hundred levels.

use sqlparser::ast::{
    BinaryOperator, Cte, Expr, Ident, ObjectNamePart, Select, SelectItem, SetExpr, SetOperator, SetQuantifier,
    TableFactor, Value,
};

use super::compile::{Compiled, Compiler, Typed};
use super::error::SqlError;
use super::relation::Ctes;
use super::types::{Column, Type};

/// Steps of a recursion, at most.
const LEVELS: u32 = 100;
/// The column that counts them. No statement can name it, as it has no quotes for its quote.
const LEVEL: &str = "`level`";

impl Compiler<'_> {
    /// The query of a `WITH RECURSIVE` that names itself; `None` for one that does not.
    pub(super) fn recursive(&self, cte: &Cte, ctes: &Ctes) -> Result<Option<Compiled>, SqlError> {
        let name = &cte.alias.name.value;
        let SetExpr::SetOperation { left, op: SetOperator::Union, set_quantifier, right } = cte.query.body.as_ref()
        else {
            return Ok(None);
        };
        let SetExpr::Select(step) = right.as_ref() else { return Ok(None) };
        if !reads(step, name) {
            return Ok(None);
        }
        if *set_quantifier != SetQuantifier::All || cte.query.order_by.is_some() || cte.query.limit_clause.is_some() {
            return Err(SqlError::unsupported("recursion with anything but UNION ALL"));
        }
        let mut anchor = self.set(left, None, ctes)?;
        let width = anchor.columns.len();
        let named = cte.alias.columns.iter().map(|column| column.name.value.clone());
        for (column, name) in anchor.columns.iter_mut().zip(named) {
            column.name = name;
        }
        if !cte.alias.columns.is_empty() && cte.alias.columns.len() != width {
            return Err(SqlError::unsupported("a common table expression with too many or too few column names"));
        }
        let alias = self.alias();
        let mut columns = anchor.columns.clone();
        columns.push(Column::new(LEVEL, Type::Int));
        let mut inner = ctes.clone();
        inner.push((name.clone(), Compiled { sql: alias.clone(), columns }));
        let step = self.select(&counted(step), None, None, &inner)?;
        if step.columns.len() != width + 1 {
            return Err(SqlError::new(
                "NUM_COLUMNS_MISMATCH",
                &format!(
                    "UNION can only be performed on inputs with the same number of columns, but the first input has {width} columns and the second input has {} columns.",
                    step.columns.len().saturating_sub(1)
                ),
                "42826",
            ));
        }
        for (from, to) in step.columns.iter().zip(&anchor.columns) {
            // A recursive step cannot be wrapped in a cast.
            if self.cast(Typed::new("x", from.kind.clone()), &to.kind, false)?.sql != "x" {
                return Err(SqlError::unsupported(format!(
                    "recursion where `{}` is {} at first and {} later; add a cast",
                    to.name,
                    to.kind.text(),
                    from.kind.text()
                )));
            }
        }
        let names: Vec<_> = (0..=width).map(|index| format!("c{index}")).collect();
        let shown = names.get(..width).unwrap_or_default().join(", ");
        let sql = format!(
            "WITH RECURSIVE {alias}({}) AS (SELECT {shown}, 0 FROM ({}) UNION ALL {}) SELECT {shown} FROM {alias} WHERE dbx_level(c{width}, {LEVELS})",
            names.join(", "),
            anchor.sql,
            step.sql
        );
        Ok(Some(Compiled { sql, columns: anchor.columns }))
    }
}

/// Whether a SELECT has this relation in its FROM.
fn reads(select: &Select, name: &str) -> bool {
    let factors = select
        .from
        .iter()
        .flat_map(|table| std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation)));
    factors.into_iter().any(|factor| {
        matches!(factor, TableFactor::Table { name: found, .. }
            if matches!(found.0.as_slice(), [ObjectNamePart::Identifier(found)] if found.value.eq_ignore_ascii_case(name)))
    })
}

/// The step of a recursion, which also counts its level and ends one too deep.
fn counted(step: &Select) -> Select {
    let number = |number: u32| Expr::Value(Value::Number(number.to_string(), false).into());
    let level = || Box::new(Expr::Identifier(Ident::new(LEVEL)));
    let binary = |op, right| Expr::BinaryOp { left: level(), op, right: Box::new(right) };
    let mut step = step.clone();
    step.projection.push(SelectItem::UnnamedExpr(binary(BinaryOperator::Plus, number(1))));
    let shallow = binary(BinaryOperator::LtEq, number(LEVELS));
    step.selection = Some(match step.selection.take() {
        Some(condition) => Expr::BinaryOp {
            left: Box::new(Expr::Nested(Box::new(condition))),
            op: BinaryOperator::And,
            right: Box::new(shallow),
        },
        None => shallow,
    });
    step
}
