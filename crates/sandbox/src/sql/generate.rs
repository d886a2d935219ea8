//! Functions that make rows: `explode`, `posexplode`, `inline` and `stack` in LATERAL VIEW, in FROM and in the select list.

use std::rc::Rc;

use sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, LateralView, Select, SelectItem, TableAlias};

use super::compile::{Compiler, Readable, Relation, Typed, access};
use super::error::SqlError;
use super::expr::argument_exprs;
use super::functions::item;
use super::parse::{parts, values};
use super::relation::From;
use super::types::Type;

/// A generator with what stands around it.
pub(super) struct Generator<'a> {
    name: String,
    arguments: Vec<&'a Expr>,
    outer: bool,
    /// The name of its relation, and those of its columns where given.
    relation: Vec<String>,
    columns: Vec<String>,
}

/// A generator's place in the select list, and the columns it makes.
pub(super) struct Generated {
    pub(super) index: usize,
    pub(super) columns: Vec<Readable>,
}

impl Compiler<'_> {
    /// Joins the rows that `LATERAL VIEW` makes.
    pub(super) fn lateral_views(&self, views: &[LateralView], from: &mut From<'_>) -> Result<(), SqlError> {
        for view in views {
            let mut generator = read(&view.lateral_view).ok_or_else(|| {
                SqlError::unsupported(format!("LATERAL VIEW with anything but explode: {}", view.lateral_view))
            })?;
            generator.outer |= view.outer;
            generator.relation = parts(&view.lateral_view_name)?;
            generator.columns = values(&view.lateral_col_alias);
            self.generate(&generator, from)?;
        }
        Ok(())
    }

    /// `LATERAL explode(…) AS t(c)` in FROM.
    pub(super) fn table_generator(
        &self,
        name: &[String],
        args: &[FunctionArg],
        alias: Option<&TableAlias>,
        from: &mut From<'_>,
    ) -> Result<(), SqlError> {
        let arguments = args.iter().map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => Some(argument),
            _ => None,
        });
        let mut generator = arguments
            .collect::<Option<Vec<_>>>()
            .and_then(|arguments| generator(&name.join("."), arguments))
            .ok_or_else(|| SqlError::unsupported(format!("the table function {}", name.join("."))))?;
        if let Some(alias) = alias {
            generator.relation = vec![alias.name.value.clone()];
            generator.columns = alias.columns.iter().map(|column| column.name.value.clone()).collect();
        }
        self.generate(&generator, from)
    }

    /// Joins the rows of a generator in the select list; gives its place there, and what it stands for.
    pub(super) fn select_generator(&self, select: &Select, from: &mut From<'_>) -> Result<Option<Generated>, SqlError> {
        let mut found = select.projection.iter().enumerate().filter_map(|(index, item)| match item {
            SelectItem::UnnamedExpr(expr) => Some((index, read(expr)?, Vec::new())),
            SelectItem::ExprWithAlias { expr, alias } => Some((index, read(expr)?, vec![alias.value.clone()])),
            SelectItem::ExprWithAliases { expr, aliases } => Some((index, read(expr)?, values(aliases))),
            _ => None,
        });
        let Some((index, mut generator, names)) = found.next() else { return Ok(None) };
        if found.next().is_some() {
            return Err(SqlError::new(
                "UNSUPPORTED_GENERATOR.MULTI_GENERATOR",
                "The generator is not supported: only one generator allowed per SELECT clause.",
                "42K0E",
            ));
        }
        generator.columns = names;
        self.generate(&generator, from)?;
        // Its columns belong to the item alone.
        let relation = Rc::make_mut(&mut from.scope.relations).pop();
        let columns = relation.map(|relation| relation.columns).unwrap_or_default();
        Ok(Some(Generated { index, columns }))
    }

    fn generate(&self, generator: &Generator<'_>, from: &mut From<'_>) -> Result<(), SqlError> {
        let alias = self.alias();
        let (list, columns) = match (generator.name.as_str(), generator.arguments.as_slice()) {
            ("stack", [count, values @ ..]) => self.stacked(count, values, from, &alias)?,
            (name, [argument]) => self.exploded(name, argument, from, &alias)?,
            (name, _) => return Err(SqlError::unsupported(format!("`{name}` with these arguments"))),
        };
        if !generator.columns.is_empty() && generator.columns.len() != columns.len() {
            return Err(SqlError::new(
                "UDTF_ALIAS_NUMBER_MISMATCH",
                &format!(
                    "The number of aliases supplied in the AS clause does not match the number of columns output by the UDTF. Expected {} aliases, but got {}.",
                    columns.len(),
                    generator.columns.join(",")
                ),
                "42802",
            ));
        }
        let readable = columns.into_iter().enumerate().map(|(index, (name, sql, kind))| Readable {
            name: generator.columns.get(index).cloned().unwrap_or(name),
            value: Typed::new(sql, kind),
            hidden: false,
        });
        if from.sql.is_empty() {
            from.sql.push_str("(SELECT 1)");
        }
        let join = if generator.outer { "LEFT JOIN" } else { "JOIN" };
        from.sql.push_str(&format!(" {join} json_each({list}) AS {alias} ON 1"));
        from.scope.push(Relation { names: generator.relation.clone(), columns: readable.collect() });
        Ok(())
    }
}

/// The SQL of a list, and what can be read of each of its items: name, SQL and type.
type Exploded = (String, Vec<(String, String, Type)>);

impl Compiler<'_> {
    fn exploded(&self, name: &str, argument: &Expr, from: &From<'_>, alias: &str) -> Result<Exploded, SqlError> {
        let value = self.expr(argument, &from.scope)?;
        let column = |name: &str, sql: &str, kind: &Type| (name.to_owned(), format!("{alias}.{sql}"), kind.clone());
        let mut columns = Vec::new();
        if name == "posexplode" {
            columns.push(column("pos", "key", &Type::Int));
        }
        match (name, &value.kind) {
            ("inline", Type::Array(item)) => match item.as_ref() {
                Type::Struct(_) => {
                    let item = Typed::new(format!("{alias}.value"), (**item).clone());
                    let Type::Struct(fields) = &item.kind else { return Ok((value.sql, columns)) };
                    for (field, _) in fields {
                        let read = access(&item, field)?;
                        columns.push((field.clone(), read.sql, read.kind));
                    }
                }
                kind => return Err(wrong_input(name, argument, kind)),
            },
            ("explode" | "posexplode", Type::Array(item)) => columns.push(column("col", "value", item)),
            ("posexplode", Type::Map(..)) => return Err(SqlError::unsupported("posexplode of a MAP")),
            ("explode", Type::Map(key, item)) => {
                columns.push(column("key", "key", key));
                columns.push(column("value", "value", item));
            }
            (name, kind) => return Err(wrong_input(name, argument, kind)),
        }
        Ok((value.sql, columns))
    }

    /// `stack(n, a, b, …)`: the values in n rows.
    fn stacked(&self, count: &Expr, values: &[&Expr], from: &From<'_>, alias: &str) -> Result<Exploded, SqlError> {
        let count = self.expr(count, &from.scope)?.sql.parse::<usize>().ok().filter(|count| *count > 0);
        let (Some(count), false) = (count, values.is_empty()) else {
            return Err(SqlError::unsupported("stack to a number of rows that is not written down"));
        };
        let width = values.len().div_ceil(count);
        let mut kinds = vec![Type::Void; width];
        let mut cells = Vec::new();
        for (index, value) in values.iter().enumerate() {
            let cell = self.expr(value, &from.scope)?;
            if let Some(kind) = kinds.get_mut(index % width) {
                *kind = self.common(kind, &cell.kind, value)?;
            }
            cells.push(cell);
        }
        let mut rows = Vec::new();
        for row in cells.chunks(width) {
            let cast =
                row.iter().zip(&kinds).map(|(cell, kind)| Ok(item(&self.cast(cell.clone(), kind, false)?.sql, kind)));
            rows.push(format!("json_array({})", cast.collect::<Result<Vec<_>, SqlError>>()?.join(", ")));
        }
        let column =
            |(index, kind)| (format!("col{index}"), format!("json_extract({alias}.value, '$[{index}]')"), kind);
        Ok((format!("json_array({})", rows.join(", ")), kinds.into_iter().enumerate().map(column).collect()))
    }
}

fn wrong_input(name: &str, argument: &Expr, kind: &Type) -> SqlError {
    SqlError::mismatch(
        &format!("{name}({argument})"),
        &format!(
            "the first parameter requires the (\"ARRAY\" or \"MAP\") type, however it has the type \"{}\"",
            kind.text()
        ),
    )
}

/// Whether a function makes rows.
pub(super) fn is_generator(name: &str) -> bool {
    let name = name.to_lowercase();
    matches!(name.strip_suffix("_outer").unwrap_or(&name), "explode" | "posexplode" | "inline" | "stack")
}

fn read(expr: &Expr) -> Option<Generator<'_>> {
    let Expr::Function(function) = expr else { return None };
    generator(&function.name.to_string(), argument_exprs(&function.args).ok()?)
}

fn generator<'a>(name: &str, arguments: Vec<&'a Expr>) -> Option<Generator<'a>> {
    let name = name.to_lowercase();
    let (base, outer) = match name.strip_suffix("_outer") {
        Some(base) => (base, true),
        None => (name.as_str(), false),
    };
    is_generator(base).then(|| Generator {
        name: base.to_owned(),
        arguments,
        outer,
        relation: Vec::new(),
        columns: Vec::new(),
    })
}
