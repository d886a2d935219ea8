//! Functions that make rows: `explode` and `posexplode` in LATERAL VIEW, in FROM and in the select list.

use std::rc::Rc;

use sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, LateralView, Select, SelectItem, TableAlias};

use super::compile::{Compiler, Readable, Relation, Typed};
use super::error::SqlError;
use super::expr::argument_exprs;
use super::parse::{parts, values};
use super::relation::From;
use super::types::Type;

/// A generator with what stands around it.
pub(super) struct Generator<'a> {
    name: String,
    argument: &'a Expr,
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
        let [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] = args else {
            return Err(SqlError::unsupported("table functions other than explode"));
        };
        let mut generator = generator(&name.join("."), argument)
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
        let value = self.expr(generator.argument, &from.scope)?;
        let alias = self.alias();
        let mut columns = Vec::new();
        if generator.name.starts_with("pos") {
            columns.push(("pos", format!("{alias}.key"), Type::Int));
        }
        match &value.kind {
            Type::Array(item) => columns.push(("col", format!("{alias}.value"), (**item).clone())),
            Type::Map(..) if !columns.is_empty() => return Err(SqlError::unsupported("posexplode of a MAP")),
            Type::Map(key, item) => {
                columns.push(("key", format!("{alias}.key"), (**key).clone()));
                columns.push(("value", format!("{alias}.value"), (**item).clone()));
            }
            kind => {
                return Err(SqlError::mismatch(
                    &format!("{}({})", generator.name, generator.argument),
                    &format!(
                        "the first parameter requires the (\"ARRAY\" or \"MAP\") type, however it has the type \"{}\"",
                        kind.text()
                    ),
                ));
            }
        }
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
            name: generator.columns.get(index).cloned().unwrap_or_else(|| name.to_owned()),
            value: Typed::new(sql, kind),
            hidden: false,
        });
        if from.sql.is_empty() {
            from.sql.push_str("(SELECT 1)");
        }
        let join = if generator.outer { "LEFT JOIN" } else { "JOIN" };
        from.sql.push_str(&format!(" {join} json_each({}) AS {alias} ON 1", value.sql));
        from.scope.push(Relation { names: generator.relation.clone(), columns: readable.collect() });
        Ok(())
    }
}

fn read(expr: &Expr) -> Option<Generator<'_>> {
    let Expr::Function(function) = expr else { return None };
    let arguments = argument_exprs(&function.args).ok()?;
    let [argument] = arguments.as_slice() else { return None };
    generator(&function.name.to_string(), argument)
}

fn generator<'a>(name: &str, argument: &'a Expr) -> Option<Generator<'a>> {
    let name = name.to_lowercase();
    let (base, outer) = match name.strip_suffix("_outer") {
        Some(base) => (base, true),
        None => (name.as_str(), false),
    };
    matches!(base, "explode" | "posexplode").then(|| Generator {
        name: base.to_owned(),
        argument,
        outer,
        relation: Vec::new(),
        columns: Vec::new(),
    })
}
