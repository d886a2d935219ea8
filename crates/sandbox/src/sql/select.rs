//! Compiles one SELECT: projection, grouping, HAVING, QUALIFY, DISTINCT and its ORDER BY.

use std::ops::ControlFlow;
use std::rc::Rc;

use sqlparser::ast::{
    Distinct, Expr, Function, GroupByExpr, OrderBy, OrderByKind, Query, Select, SelectFlavor, SelectItem,
    SelectItemQualifiedWildcardKind, Visit, Visitor, WildcardAdditionalOptions,
};

use super::compile::{Compiled, Compiler, Mode, Readable, Scope};
use super::error::SqlError;
use super::functions::is_aggregate;
use super::generate::Generated;
use super::grouping::Groups;
use super::literals::display_name;
use super::named_windows::with_windows;
use super::parse::parts;
use super::relation::Ctes;
use super::types::Column;

type Item = (Column, String);

impl Compiler<'_> {
    pub(crate) fn select(
        &self,
        select: &Select,
        order: Option<&OrderBy>,
        parent: Option<&Scope<'_>>,
        ctes: &Ctes,
    ) -> Result<Compiled, SqlError> {
        check(select)?;
        if !select.named_window.is_empty() {
            let (select, order) = with_windows(select, order)?;
            return self.select(&select, order.as_ref(), parent, ctes);
        }
        let mut from = self.from(&select.from, parent, ctes)?;
        self.lateral_views(&select.lateral_views, &mut from)?;
        let generated = self.select_generator(select, &mut from)?;
        let mut conditions = from.conditions;
        if let Some(condition) = &select.selection {
            conditions.push(self.condition(condition, &from.scope)?);
        }
        let grouped = is_grouped(select, order);
        if grouped && generated.is_some() {
            return Err(SqlError::unsupported("explode next to aggregates; put it in a subquery"));
        }
        let (groups, sets) = if grouped { self.groups(select, &from.scope)? } else { (Groups::default(), None) };
        let mut tail = String::new();
        if !from.sql.is_empty() {
            tail.push_str(&format!(" FROM {}", from.sql));
        }
        if !conditions.is_empty() {
            tail.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
        }
        if let Some(sets) = sets {
            return self.by_sets(select, order, &from.scope, &tail, (groups, sets));
        }
        let mode = if grouped { Mode::Group(&groups) } else { Mode::Row };
        let mut scope = from.scope.with_mode(mode);
        let items = self.items(&select.projection, generated, &mut scope)?;
        tail.push_str(&groups.clause());
        if let Some(having) = &select.having {
            let value = self.expr(having, &scope)?;
            tail.push_str(&format!(" HAVING {}", self.boolean(value, having)?.sql));
        }
        let columns: Vec<_> = items.iter().map(|(column, _)| column.clone()).collect();
        let list: Vec<_> = items.iter().enumerate().map(|(index, (_, sql))| format!("{sql} AS c{index}")).collect();
        let distinct = select.distinct.is_some();
        if distinct && select.qualify.is_some() {
            return Err(SqlError::unsupported("DISTINCT together with QUALIFY"));
        }
        if distinct {
            let compiled = Compiled { sql: format!("SELECT DISTINCT {}{tail}", list.join(", ")), columns };
            return self.ordered(compiled, order);
        }
        scope.aliases_first = true;
        let terms = match order {
            Some(order) => self.order(order, &scope, columns.len())?,
            None => Vec::new(),
        };
        let sql = match &select.qualify {
            Some(qualify) => {
                let value = self.expr(qualify, &scope)?;
                qualified(&list, &self.boolean(value, qualify)?.sql, &terms, &tail)
            }
            None if terms.is_empty() => format!("SELECT {}{tail}", list.join(", ")),
            None => format!("SELECT {}{tail} ORDER BY {}", list.join(", "), terms.join(", ")),
        };
        Ok(Compiled { sql, columns })
    }

    pub(super) fn items(
        &self,
        projection: &[SelectItem],
        generated: Option<Generated>,
        scope: &mut Scope<'_>,
    ) -> Result<Vec<Item>, SqlError> {
        let mut items = Vec::new();
        for (index, item) in projection.iter().enumerate() {
            if let Some(generated) = generated.as_ref().filter(|generated| generated.index == index) {
                for Readable { name, value, .. } in &generated.columns {
                    items.push((Column::new(name.clone(), value.kind.clone()), value.sql.clone()));
                    Rc::make_mut(&mut scope.aliases).push((name.clone(), value.clone()));
                }
                continue;
            }
            let (name, expr) = match item {
                SelectItem::UnnamedExpr(expr) => (display_name(expr), expr),
                SelectItem::ExprWithAlias { expr, alias } => (alias.value.clone(), expr),
                SelectItem::Wildcard(options) => {
                    items.extend(wildcard(scope, &[], options)?);
                    continue;
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                    items.extend(wildcard(scope, &parts(name)?, options)?);
                    continue;
                }
                _ => return Err(SqlError::unsupported("this kind of select item")),
            };
            let value = self.expr(expr, scope)?;
            items.push((Column::new(name.clone(), value.kind.clone()), value.sql.clone()));
            if matches!(item, SelectItem::ExprWithAlias { .. }) {
                Rc::make_mut(&mut scope.aliases).push((name, value));
            }
        }
        Ok(items)
    }
}

/// QUALIFY filters after the windows are computed, so the select becomes a subquery.
fn qualified(list: &[String], condition: &str, terms: &[String], tail: &str) -> String {
    let (mut inner, mut outer, mut order) = (list.to_vec(), Vec::new(), Vec::new());
    for index in 0..list.len() {
        outer.push(format!("c{index}"));
    }
    inner.push(format!("{condition} AS q"));
    for (index, term) in terms.iter().enumerate() {
        let (value, direction) = split_direction(term);
        if value.starts_with('c') {
            order.push(term.clone());
        } else {
            inner.push(format!("{value} AS o{index}"));
            order.push(format!("o{index}{direction}"));
        }
    }
    let mut sql = format!("SELECT {} FROM (SELECT {}{tail}) WHERE q", outer.join(", "), inner.join(", "));
    if !order.is_empty() {
        sql.push_str(&format!(" ORDER BY {}", order.join(", ")));
    }
    sql
}

/// Splits ` DESC NULLS LAST` off an order term.
pub(super) fn split_direction(term: &str) -> (&str, &str) {
    let mut end = term.len();
    for suffix in [" NULLS FIRST", " NULLS LAST", " DESC"] {
        if let Some(rest) = term.get(..end).and_then(|head| head.strip_suffix(suffix)) {
            end = rest.len();
        }
    }
    term.split_at(end)
}

fn wildcard(
    scope: &Scope<'_>,
    qualifier: &[String],
    options: &WildcardAdditionalOptions,
) -> Result<Vec<Item>, SqlError> {
    if options.opt_ilike.is_some()
        || options.opt_exclude.is_some()
        || options.opt_replace.is_some()
        || options.opt_rename.is_some()
        || options.opt_alias.is_some()
    {
        return Err(SqlError::unsupported("* with anything but EXCEPT"));
    }
    let except: Vec<String> = options
        .opt_except
        .iter()
        .flat_map(|except| std::iter::once(&except.first_element).chain(&except.additional_elements))
        .map(|name| name.value.to_lowercase())
        .collect();
    let relations: Vec<_> = scope.relations.iter().filter(|relation| relation.answers_to(qualifier)).collect();
    if relations.is_empty() {
        return Err(SqlError::new(
            "CANNOT_RESOLVE_STAR_EXPAND",
            &format!("Cannot resolve {}.* given input columns.", qualifier.join(".")),
            "42704",
        ));
    }
    let mut items = Vec::new();
    let mut names = Vec::new();
    for Readable { name, value, hidden } in relations.into_iter().flat_map(|relation| &relation.columns) {
        names.push(name.to_lowercase());
        if (*hidden && qualifier.is_empty()) || except.contains(&name.to_lowercase()) {
            continue;
        }
        let value = match scope.mode {
            Mode::Group(groups) if !groups.contains(&value.sql) => return Err(SqlError::missing_aggregation(name)),
            Mode::Group(groups) => groups.read(value.clone()),
            Mode::Row => value.clone(),
        };
        items.push((Column::new(name.clone(), value.kind), value.sql));
    }
    match except.into_iter().find(|name| !names.contains(name)) {
        Some(missing) => Err(SqlError::column_not_found(&[missing], &[])),
        None => Ok(items),
    }
}

pub(super) fn item_expr(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}

fn is_grouped(select: &Select, order: Option<&OrderBy>) -> bool {
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(exprs, _) if exprs.is_empty());
    let ordered = order.is_some_and(|order| match &order.kind {
        OrderByKind::Expressions(terms) => terms.iter().any(|term| has_aggregate(&term.expr)),
        OrderByKind::All(_) => false,
    });
    grouped
        || ordered
        || select.having.as_ref().is_some_and(has_aggregate)
        || select.qualify.as_ref().is_some_and(has_aggregate)
        || select.projection.iter().filter_map(item_expr).any(has_aggregate)
}

fn check(select: &Select) -> Result<(), SqlError> {
    let unsupported = [
        (matches!(select.distinct, Some(Distinct::On(_))), "DISTINCT ON"),
        (select.select_modifiers.is_some(), "select modifiers"),
        (select.top.is_some(), "TOP"),
        (select.exclude.is_some(), "EXCLUDE"),
        (select.into.is_some(), "SELECT INTO"),
        (select.prewhere.is_some(), "PREWHERE"),
        (!select.connect_by.is_empty(), "CONNECT BY"),
        (
            !select.cluster_by.is_empty() || !select.distribute_by.is_empty() || !select.sort_by.is_empty(),
            "CLUSTER BY, DISTRIBUTE BY and SORT BY",
        ),
        (select.value_table_mode.is_some(), "value tables"),
        (select.flavor != SelectFlavor::Standard, "FROM before SELECT"),
    ];
    match unsupported.iter().find(|(found, _)| *found) {
        Some((_, what)) => Err(SqlError::unsupported(what)),
        None => Ok(()),
    }
}

/// Whether an aggregate is called here, outside of subqueries and windows.
pub(crate) fn has_aggregate(expr: &Expr) -> bool {
    calls(expr, |function| function.over.is_none() && is_aggregate(&function.name.to_string().to_lowercase()))
}

/// Whether a window function is called here, outside of subqueries.
pub(super) fn has_window(node: &impl Visit) -> bool {
    calls(node, |function| function.over.is_some())
}

/// Whether a function that `fits` is called here, outside of subqueries.
fn calls(node: &impl Visit, fits: impl Fn(&Function) -> bool) -> bool {
    struct Finder<F>(usize, F);
    impl<F: Fn(&Function) -> bool> Visitor for Finder<F> {
        type Break = ();
        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            self.0 += 1;
            ControlFlow::Continue(())
        }
        fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            self.0 -= 1;
            ControlFlow::Continue(())
        }
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(function) if self.0 == 0 && (self.1)(function) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    node.visit(&mut Finder(0, fits)).is_break()
}
