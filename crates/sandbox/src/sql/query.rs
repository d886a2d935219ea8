//! Compiles whole queries: WITH, set operations, VALUES, ORDER BY and LIMIT around them.

use sqlparser::ast::{
    Expr, LimitClause, OrderBy, OrderByExpr, OrderByKind, OrderByOptions, OrderBySort, Query, SetExpr, SetOperator,
    SetQuantifier, Values,
};

use super::compile::{Compiled, Compiler, Readable, Relation, Scope, Typed};
use super::error::SqlError;
use super::operators::ordered;
use super::relation::Ctes;
use super::types::{Column, Type};

impl Compiler<'_> {
    /// Compiles a query; `parent` is the scope a correlated subquery may read.
    pub(crate) fn query(&self, query: &Query, parent: Option<&Scope<'_>>, outer: &Ctes) -> Result<Compiled, SqlError> {
        if query.fetch.is_some()
            || !query.locks.is_empty()
            || query.for_clause.is_some()
            || query.settings.is_some()
            || query.format_clause.is_some()
            || !query.pipe_operators.is_empty()
        {
            return Err(SqlError::unsupported("FETCH, FOR and pipe operators"));
        }
        let mut ctes = outer.clone();
        if let Some(with) = &query.with {
            for cte in &with.cte_tables {
                if with.recursive
                    && let Some(compiled) = self.recursive(cte, &ctes)?
                {
                    ctes.push((cte.alias.name.value.clone(), compiled));
                    continue;
                }
                let mut compiled = self.query(&cte.query, None, &ctes)?;
                if !cte.alias.columns.is_empty() {
                    if cte.alias.columns.len() != compiled.columns.len() {
                        return Err(SqlError::unsupported(
                            "a common table expression with too many or too few column names",
                        ));
                    }
                    for (column, named) in compiled.columns.iter_mut().zip(&cte.alias.columns) {
                        column.name.clone_from(&named.name.value);
                    }
                }
                ctes.push((cte.alias.name.value.clone(), compiled));
            }
        }
        let order = query.order_by.as_ref();
        let mut compiled = match query.body.as_ref() {
            SetExpr::Select(select) => self.select(select, order, parent, &ctes)?,
            body => {
                let compiled = self.deeper(|| self.set(body, parent, &ctes))?;
                self.ordered(compiled, order)?
            }
        };
        if let Some(limit) = &query.limit_clause {
            compiled.sql.push_str(&self.limit(limit)?);
        }
        Ok(compiled)
    }

    pub(super) fn set(&self, body: &SetExpr, parent: Option<&Scope<'_>>, ctes: &Ctes) -> Result<Compiled, SqlError> {
        match body {
            SetExpr::Select(select) => self.select(select, None, parent, ctes),
            SetExpr::Query(query) => self.deeper(|| self.query(query, parent, ctes)),
            SetExpr::Values(values) => self.values(values),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let left = self.deeper(|| self.set(left, parent, ctes))?;
                let right = self.set(right, parent, ctes)?;
                self.combine(left, *op, *set_quantifier, right)
            }
            _ => Err(SqlError::unsupported("this kind of query")),
        }
    }

    fn combine(
        &self,
        left: Compiled,
        op: SetOperator,
        quantifier: SetQuantifier,
        right: Compiled,
    ) -> Result<Compiled, SqlError> {
        let (right, quantifier) = match quantifier {
            SetQuantifier::ByName => (named_as(&left, right)?, SetQuantifier::None),
            SetQuantifier::AllByName => (named_as(&left, right)?, SetQuantifier::All),
            SetQuantifier::DistinctByName => (named_as(&left, right)?, SetQuantifier::Distinct),
            quantifier => (right, quantifier),
        };
        let numbered = quantifier == SetQuantifier::All && op != SetOperator::Union;
        let quantifier = if numbered { SetQuantifier::None } else { quantifier };
        let keyword = match (op, quantifier) {
            (SetOperator::Union, SetQuantifier::All) => "UNION ALL",
            (SetOperator::Union, SetQuantifier::None | SetQuantifier::Distinct) => "UNION",
            (SetOperator::Intersect, SetQuantifier::None | SetQuantifier::Distinct) => "INTERSECT",
            (SetOperator::Except | SetOperator::Minus, SetQuantifier::None | SetQuantifier::Distinct) => "EXCEPT",
            _ => return Err(SqlError::unsupported("this set operation")),
        };
        if left.columns.len() != right.columns.len() {
            return Err(SqlError::new(
                "NUM_COLUMNS_MISMATCH",
                &format!(
                    "{op} can only be performed on inputs with the same number of columns, but the first input has {} columns and the second input has {} columns.",
                    left.columns.len(),
                    right.columns.len()
                ),
                "42826",
            ));
        }
        let mut columns = Vec::new();
        for (a, b) in left.columns.iter().zip(&right.columns) {
            let kind = a.kind.common(&b.kind).ok_or_else(|| {
                SqlError::new(
                    "INCOMPATIBLE_COLUMN_TYPE",
                    &format!(
                        "{op} can only be performed on tables with compatible column types: `{}` is {} and {}.",
                        a.name,
                        a.kind.text(),
                        b.kind.text()
                    ),
                    "42825",
                )
            })?;
            columns.push(Column { kind, comment: None, ..a.clone() });
        }
        let (left, right) = (self.widened(&left, &columns)?, self.widened(&right, &columns)?);
        if numbered {
            // Equal rows are told apart by a number, so that each counts.
            let names = (0..columns.len()).map(|index| format!("c{index}")).collect::<Vec<_>>().join(", ");
            let rows = |sql: &str| format!("SELECT {names}, row_number() OVER (PARTITION BY {names}) FROM ({sql})");
            let sql = format!("SELECT * FROM ({}) {keyword} SELECT * FROM ({})", rows(&left), rows(&right));
            return Ok(Compiled { sql: format!("SELECT {names} FROM ({sql})"), columns });
        }
        let sql = format!("SELECT * FROM ({left}) {keyword} SELECT * FROM ({right})");
        Ok(Compiled { sql: format!("SELECT * FROM ({sql})"), columns })
    }

    /// The same rows, cast to these types.
    pub(crate) fn widened(&self, compiled: &Compiled, columns: &[Column]) -> Result<String, SqlError> {
        if compiled.columns.iter().zip(columns).all(|(a, b)| a.kind == b.kind) {
            return Ok(compiled.sql.clone());
        }
        let mut items = Vec::new();
        for (index, (from, to)) in compiled.columns.iter().zip(columns).enumerate() {
            let value = Typed::new(format!("c{index}"), from.kind.clone());
            items.push(format!("{} AS c{index}", self.cast(value, &to.kind, false)?.sql));
        }
        Ok(format!("SELECT {} FROM ({})", items.join(", "), compiled.sql))
    }

    fn values(&self, values: &Values) -> Result<Compiled, SqlError> {
        let scope = Scope::empty(None);
        let mut rows: Vec<Vec<Typed>> = Vec::new();
        for row in &values.rows {
            rows.push(row.content.iter().map(|value| self.expr(value, &scope)).collect::<Result<_, _>>()?);
        }
        let Some(first) = rows.first() else {
            return Err(SqlError::unsupported("VALUES without rows"));
        };
        let mut kinds: Vec<Type> = first.iter().map(|value| value.kind.clone()).collect();
        for row in &rows {
            if row.len() != kinds.len() {
                return Err(SqlError::new(
                    "INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH",
                    &format!(
                        "Invalid inline table. Inline table expected {} columns but found {} columns in a row.",
                        kinds.len(),
                        row.len()
                    ),
                    "42000",
                ));
            }
            for (kind, value) in kinds.iter_mut().zip(row) {
                *kind = kind.common(&value.kind).ok_or_else(|| {
                    SqlError::new(
                        "INVALID_INLINE_TABLE.INCOMPATIBLE_TYPES_IN_INLINE_TABLE",
                        "Invalid inline table. Found incompatible types in a column of the inline table.",
                        "42000",
                    )
                })?;
            }
        }
        let mut lines = Vec::new();
        for row in rows {
            let cells: Vec<_> = row
                .into_iter()
                .zip(&kinds)
                .map(|(value, kind)| Ok(self.cast(value, kind, false)?.sql))
                .collect::<Result<_, SqlError>>()?;
            lines.push(format!("({})", cells.join(", ")));
        }
        let names: Vec<_> = (0..kinds.len()).map(|index| format!("column{} AS c{index}", index + 1)).collect();
        let columns =
            kinds.into_iter().enumerate().map(|(index, kind)| Column::new(format!("col{}", index + 1), kind)).collect();
        Ok(Compiled { sql: format!("SELECT {} FROM (VALUES {})", names.join(", "), lines.join(", ")), columns })
    }

    /// ORDER BY over the columns of a set operation.
    pub(crate) fn ordered(&self, compiled: Compiled, order: Option<&OrderBy>) -> Result<Compiled, SqlError> {
        let Some(order) = order else { return Ok(compiled) };
        let columns = compiled.columns.iter().enumerate().map(|(index, column)| Readable {
            name: column.name.clone(),
            value: Typed::new(format!("c{index}"), column.kind.clone()),
            hidden: false,
        });
        let mut scope = Scope::empty(None);
        scope.push(Relation { names: Vec::new(), columns: columns.collect() });
        let terms = self.order(order, &scope, compiled.columns.len())?;
        Ok(Compiled {
            sql: format!("SELECT * FROM ({}) ORDER BY {}", compiled.sql, terms.join(", ")),
            columns: compiled.columns,
        })
    }

    /// The terms of an ORDER BY over a query with `width` output columns.
    pub(crate) fn order(&self, order: &OrderBy, scope: &Scope<'_>, width: usize) -> Result<Vec<String>, SqlError> {
        match &order.kind {
            OrderByKind::All(options) => {
                Ok((0..width).map(|index| format!("c{index}{}", direction(options))).collect())
            }
            // The parser takes ALL for a column.
            OrderByKind::Expressions(terms) if matches!(terms.as_slice(), [term] if matches!(&term.expr, Expr::Identifier(name) if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("all"))) =>
            {
                let options = terms.first().map_or_else(String::new, |term| direction(&term.options));
                Ok((0..width).map(|index| format!("c{index}{options}")).collect())
            }
            OrderByKind::Expressions(terms) => terms.iter().map(|term| self.order_term(term, scope, width)).collect(),
        }
    }

    pub(crate) fn order_term(&self, term: &OrderByExpr, scope: &Scope<'_>, width: usize) -> Result<String, SqlError> {
        if term.with_fill.is_some() {
            return Err(SqlError::unsupported("WITH FILL"));
        }
        let value = match ordinal(&term.expr) {
            Some(position) => format!("c{}", self.position(position, width, "ORDER BY")?),
            None => {
                let value = self.expr(&term.expr, scope)?;
                ordered(&value)?;
                // A bare number would be a position for SQLite.
                format!("({})", value.sql)
            }
        };
        Ok(format!("{value}{}", direction(&term.options)))
    }

    /// A 1-based position of the select list as an index.
    pub(crate) fn position(&self, position: usize, width: usize, clause: &str) -> Result<usize, SqlError> {
        match position.checked_sub(1) {
            Some(index) if index < width => Ok(index),
            _ => Err(SqlError::new(
                "ORDER_BY_POS_OUT_OF_RANGE",
                &format!("{clause} position {position} is not in select list (valid range is [1, {width}])."),
                "42805",
            )),
        }
    }

    fn limit(&self, limit: &LimitClause) -> Result<String, SqlError> {
        let (limit, offset) = match limit {
            LimitClause::LimitOffset { limit, offset, limit_by } if limit_by.is_empty() => {
                (limit.as_ref(), offset.as_ref().map(|offset| &offset.value))
            }
            LimitClause::LimitOffset { .. } => return Err(SqlError::unsupported("LIMIT BY")),
            LimitClause::OffsetCommaLimit { .. } => return Err(SqlError::unsupported("LIMIT with a comma")),
        };
        let mut sql = match limit {
            Some(limit) => format!(" LIMIT {}", self.count(limit)?),
            None => " LIMIT -1".to_owned(),
        };
        if let Some(offset) = offset {
            sql.push_str(&format!(" OFFSET {}", self.count(offset)?));
        }
        Ok(sql)
    }

    fn count(&self, expr: &Expr) -> Result<String, SqlError> {
        let value = self.expr(expr, &Scope::empty(None))?;
        let negative = value.sql.trim_start_matches(['(', ' ']).starts_with('-');
        if !value.kind.is_integer() || negative {
            return Err(SqlError::new(
                "INVALID_LIMIT_LIKE_EXPRESSION",
                &format!("The limit like expression \"{expr}\" is invalid."),
                "42K0E",
            ));
        }
        Ok(value.sql)
    }
}

/// The right side of a set operation BY NAME, with its columns in the order of the left side.
fn named_as(left: &Compiled, right: Compiled) -> Result<Compiled, SqlError> {
    let mut items = Vec::new();
    let mut columns = Vec::new();
    for (index, column) in left.columns.iter().enumerate() {
        let same = |other: &Column| other.name.eq_ignore_ascii_case(&column.name);
        let place = right.columns.iter().position(same).filter(|_| left.columns.len() == right.columns.len());
        let found = place.and_then(|place| Some((place, right.columns.get(place)?)));
        let Some((place, found)) = found else {
            return Err(SqlError::column_not_found(std::slice::from_ref(&column.name), &[]));
        };
        items.push(format!("c{place} AS c{index}"));
        columns.push(found.clone());
    }
    Ok(Compiled { sql: format!("SELECT {} FROM ({})", items.join(", "), right.sql), columns })
}

/// The number of `ORDER BY 2`.
pub(crate) fn ordinal(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Value(value) => match &value.value {
            sqlparser::ast::Value::Number(number, false) => number.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

pub(crate) fn direction(options: &OrderByOptions) -> String {
    let mut sql = match options.sort {
        Some(OrderBySort::Desc) => " DESC".to_owned(),
        _ => String::new(),
    };
    match options.nulls_first {
        Some(true) => sql.push_str(" NULLS FIRST"),
        Some(false) => sql.push_str(" NULLS LAST"),
        None => {}
    }
    sql
}
