//! PIVOT, UNPIVOT and TABLESAMPLE: relations made of another one.

use std::ops::ControlFlow;
use std::rc::Rc;

use sqlparser::ast::{
    BinaryOperator, Expr, ExprWithAlias, NullInclusion, PivotValueSource, TableAlias, TableFactor, TableSample,
    TableSampleUnit, Value, visit_expressions, visit_expressions_mut,
};

use super::compile::{Compiled, Compiler, Mode, Readable, Relation, Scope, Typed, text_literal};
use super::error::SqlError;
use super::functions::is_aggregate;
use super::grouping::Groups;
use super::literals::display_name;
use super::relation::Ctes;
use super::types::{Column, Type};

impl Compiler<'_> {
    /// `PIVOT (aggregates FOR columns IN (values))`: a column for each value and aggregate, grouped by all else.
    pub(super) fn pivot(&self, factor: &TableFactor, ctes: &Ctes) -> Result<(String, Relation), SqlError> {
        let TableFactor::Pivot { table, aggregate_functions, value_column, value_source, default_on_null: None, alias } =
            factor
        else {
            return Err(SqlError::unsupported("this form of PIVOT"));
        };
        let PivotValueSource::List(values) = value_source else {
            return Err(SqlError::unsupported("PIVOT over values that are not written down"));
        };
        let (sql, relation) = self.deeper(|| self.factor(table, ctes))?;
        let mut used: Vec<String> = Vec::new();
        for expr in value_column.iter().chain(aggregate_functions.iter().map(|aggregate| &aggregate.expr)) {
            let _ = visit_expressions(expr, |expr| {
                match expr {
                    Expr::Identifier(name) => used.push(name.value.to_lowercase()),
                    Expr::CompoundIdentifier(parts) => used.extend(parts.last().map(|name| name.value.to_lowercase())),
                    _ => {}
                }
                ControlFlow::<()>::Continue(())
            });
        }
        let kept = |column: &&Readable| !column.hidden && !used.contains(&column.name.to_lowercase());
        let kept: Vec<Readable> = relation.columns.iter().filter(kept).cloned().collect();
        let groups = Groups::of(kept.iter().map(|column| column.value.sql.clone()));
        let mut scope = Scope::empty(None);
        scope.ctes = Rc::new(ctes.clone());
        scope.push(relation);
        let scope = scope.with_mode(Mode::Group(&groups));
        let mut items: Vec<(Column, String)> = kept
            .iter()
            .map(|column| (Column::new(column.name.clone(), column.value.kind.clone()), column.value.sql.clone()))
            .collect();
        for value in values {
            let condition = equal(value_column, &value.expr)?;
            let is_there = self.condition(&condition, &scope)?;
            for aggregate in aggregate_functions {
                let item = self.expr(&filtered(&aggregate.expr, &condition), &scope)?;
                let name = pivoted_name(value, aggregate, aggregate_functions.len() > 1);
                // Without a row there is no count either.
                let sql = format!("(CASE WHEN count(CASE WHEN {is_there} THEN 1 END) > 0 THEN {} END)", item.sql);
                items.push((Column::new(name, item.kind), sql));
            }
        }
        let list: Vec<_> = items.iter().enumerate().map(|(index, (_, sql))| format!("{sql} AS c{index}")).collect();
        let sql = format!("SELECT {} FROM {sql}{}", list.join(", "), groups.clause());
        let columns = items.into_iter().map(|(column, _)| column).collect();
        self.derived(&Compiled { sql, columns }, names_of(alias.as_ref()), alias.as_ref())
    }

    /// `UNPIVOT (value FOR name IN (columns))`: a row for each of the columns.
    pub(super) fn unpivot(&self, factor: &TableFactor, ctes: &Ctes) -> Result<(String, Relation), SqlError> {
        let TableFactor::Unpivot { table, value: Expr::Identifier(value), name, columns, null_inclusion, alias } =
            factor
        else {
            return Err(SqlError::unsupported("UNPIVOT to several columns of values"));
        };
        let (sql, relation) = self.deeper(|| self.factor(table, ctes))?;
        let mut scope = Scope::empty(None);
        scope.push(relation.clone());
        let mut kind = Type::Void;
        let mut sources = Vec::new();
        for column in columns {
            let source = self.expr(&column.expr, &scope)?;
            kind = self.common(&kind, &source.kind, &column.expr)?;
            let label = column.alias.as_ref().map_or_else(|| display_name(&column.expr), |alias| alias.value.clone());
            sources.push((label, source));
        }
        let kept =
            |column: &&Readable| !column.hidden && !sources.iter().any(|(_, source)| source.sql == column.value.sql);
        let kept: Vec<&Readable> = relation.columns.iter().filter(kept).collect();
        let width = kept.len();
        let list: Vec<_> =
            kept.iter().enumerate().map(|(index, column)| format!("{} AS c{index}, ", column.value.sql)).collect();
        let mut branches = Vec::new();
        for (label, source) in sources {
            let source = self.cast(source, &kind, false)?.sql;
            let known = match null_inclusion {
                Some(NullInclusion::IncludeNulls) => String::new(),
                _ => format!(" WHERE {source} IS NOT NULL"),
            };
            let label = text_literal(&label);
            branches.push(format!(
                "SELECT {}{label} AS c{width}, {source} AS c{} FROM {sql}{known}",
                list.concat(),
                width + 1
            ));
        }
        let mut columns: Vec<_> =
            kept.iter().map(|column| Column::new(column.name.clone(), column.value.kind.clone())).collect();
        columns.push(Column::new(name.value.clone(), Type::String));
        columns.push(Column::new(value.value.clone(), kind));
        let sql = format!("SELECT * FROM ({})", branches.join(" UNION ALL "));
        self.derived(&Compiled { sql, columns }, names_of(alias.as_ref()), alias.as_ref())
    }

    /// `TABLESAMPLE`: some rows, the same every time.
    pub(super) fn sample(
        &self,
        (sql, relation): (String, Relation),
        sample: &TableSample,
    ) -> Result<(String, Relation), SqlError> {
        let wrong = || SqlError::unsupported("this form of TABLESAMPLE");
        if sample.name.is_some() || sample.offset.is_some() {
            return Err(wrong());
        }
        let list =
            relation.columns.iter().enumerate().map(|(index, column)| format!("{} AS c{index}", column.value.sql));
        let list = list.collect::<Vec<_>>().join(", ");
        let seed = match &sample.seed {
            Some(seed) => match &seed.value.value {
                Value::Number(seed, _) => seed.parse::<i64>().map_err(|_| wrong())?,
                _ => return Err(wrong()),
            },
            None => 0,
        };
        let some = |from: f64, to: f64| {
            let numbered = format!("SELECT {list}, row_number() OVER () AS n FROM {sql}");
            format!("(SELECT * FROM ({numbered}) WHERE dbx_sampled(n, {seed}, {from:e}, {to:e}))")
        };
        let source = match (&sample.quantity, &sample.bucket) {
            (Some(quantity), None) => {
                let amount = self.expr(&quantity.value, &Scope::empty(None))?;
                match (&quantity.unit, &amount.kind) {
                    (Some(TableSampleUnit::Rows), kind) if kind.is_integer() => {
                        format!("(SELECT {list} FROM {sql} LIMIT {})", amount.sql)
                    }
                    (Some(TableSampleUnit::Percent), _) => {
                        let percent: f64 = quantity.value.to_string().parse().map_err(|_| wrong())?;
                        some(0.0, percent / 100.0)
                    }
                    _ => return Err(wrong()),
                }
            }
            (None, Some(bucket)) if bucket.on.is_none() => {
                let number = |value: &Value| match value {
                    Value::Number(number, _) => number.parse::<f64>().map_err(|_| wrong()),
                    _ => Err(wrong()),
                };
                let (bucket, total) = (number(&bucket.bucket.value)?, number(&bucket.total.value)?);
                some((bucket - 1.0) / total, bucket / total)
            }
            _ => return Err(wrong()),
        };
        let alias = self.alias();
        let columns = relation.columns.into_iter().enumerate().map(|(index, column)| Readable {
            value: Typed::new(format!("{alias}.c{index}"), column.value.kind),
            ..column
        });
        Ok((format!("{source} AS {alias}"), Relation { names: relation.names, columns: columns.collect() }))
    }
}

/// A pivoted relation keeps no name of the one it is made of, unless it gets one.
fn names_of(alias: Option<&TableAlias>) -> Vec<String> {
    alias.map(|alias| vec![alias.name.value.clone()]).unwrap_or_default()
}

/// That the columns have these values, also where they are NULL.
fn equal(columns: &[Expr], value: &Expr) -> Result<Expr, SqlError> {
    let values = match value {
        Expr::Tuple(values) => values.as_slice(),
        Expr::Nested(value) => std::slice::from_ref(value.as_ref()),
        value => std::slice::from_ref(value),
    };
    if values.len() != columns.len() {
        return Err(SqlError::new(
            "PIVOT_VALUE_DATA_TYPE_MISMATCH",
            "Invalid pivot value: there are not as many values as columns.",
            "42K09",
        ));
    }
    let pairs = columns.iter().zip(values);
    let same = |(column, value): (&Expr, &Expr)| {
        Expr::Nested(Box::new(Expr::IsNotDistinctFrom(Box::new(column.clone()), Box::new(value.clone()))))
    };
    let and = |left, right| Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::And, right: Box::new(right) };
    pairs.map(same).reduce(and).ok_or_else(|| SqlError::unsupported("PIVOT without columns"))
}

/// The same aggregate over the rows that fulfill a condition.
fn filtered(aggregate: &Expr, condition: &Expr) -> Expr {
    let mut aggregate = aggregate.clone();
    let _ = visit_expressions_mut(&mut aggregate, |expr| {
        if let Expr::Function(function) = expr
            && is_aggregate(&function.name.to_string().to_lowercase())
        {
            function.filter = Some(Box::new(match function.filter.take() {
                Some(filter) => Expr::BinaryOp {
                    left: Box::new(Expr::Nested(filter)),
                    op: BinaryOperator::And,
                    right: Box::new(condition.clone()),
                },
                None => condition.clone(),
            }));
        }
        ControlFlow::<()>::Continue(())
    });
    aggregate
}

/// The value's name; with several aggregates, that of the aggregate behind it.
fn pivoted_name(value: &ExprWithAlias, aggregate: &ExprWithAlias, several: bool) -> String {
    let label = |value: &Expr| match value {
        Expr::Tuple(values) => values.iter().map(display_name).collect::<Vec<_>>().join("_"),
        value => display_name(value),
    };
    let name = value.alias.as_ref().map_or_else(|| label(&value.expr), |alias| alias.value.clone());
    if !several {
        return name;
    }
    let suffix = aggregate.alias.as_ref().map_or_else(|| display_name(&aggregate.expr), |alias| alias.value.clone());
    format!("{name}_{suffix}")
}
