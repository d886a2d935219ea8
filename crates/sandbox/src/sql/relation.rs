//! Compiles FROM clauses: tables, views, subqueries and joins.

use std::rc::Rc;

use sqlparser::ast::{
    Expr, Join, JoinConstraint, JoinOperator, TableAlias, TableFactor, TableSampleKind, TableWithJoins,
};

use super::compile::{Compiled, Compiler, Mode, Readable, Relation, Scope, Typed, identifier};
use super::error::SqlError;
use super::generate::is_generator;
use super::parse::{parts, statement, tokens, values};
use super::select::has_window;
use super::session::Session;
use super::types::Column;
use super::using::shared;

/// The queries of WITH clauses, innermost last.
pub(crate) type Ctes = Vec<(String, Compiled)>;

/// A FROM clause: its SQL, what can be read from it, and conditions that belong into WHERE.
#[derive(Debug)]
pub(crate) struct From<'a> {
    pub(crate) sql: String,
    pub(crate) scope: Scope<'a>,
    pub(crate) conditions: Vec<String>,
}

impl Compiler<'_> {
    pub(crate) fn from<'a>(
        &self,
        tables: &[TableWithJoins],
        parent: Option<&'a Scope<'a>>,
        ctes: &Ctes,
    ) -> Result<From<'a>, SqlError> {
        let mut from = From { sql: String::new(), scope: Scope::empty(parent), conditions: Vec::new() };
        from.scope.ctes = Rc::new(ctes.clone());
        for table in tables {
            if let TableFactor::Function { name, args, alias, with_ordinality: false, .. } = &table.relation {
                self.table_generator(&parts(name)?, args, alias.as_ref(), &mut from)?;
                continue;
            }
            if let TableFactor::Table { name, args: Some(args), alias, .. } = &table.relation
                && is_generator(&name.to_string())
                && table.joins.is_empty()
            {
                self.table_generator(&parts(name)?, &args.args, alias.as_ref(), &mut from)?;
                continue;
            }
            if !from.sql.is_empty() {
                from.sql.push_str(" CROSS JOIN ");
            }
            let (sql, relation) = self.factor(&table.relation, ctes)?;
            from.sql.push_str(&sql);
            from.scope.push(relation);
            for join in &table.joins {
                self.join(&mut from, join, ctes)?;
            }
        }
        Ok(from)
    }

    fn join(&self, from: &mut From<'_>, join: &Join, ctes: &Ctes) -> Result<(), SqlError> {
        let (keyword, constraint) = match &join.join_operator {
            JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => ("JOIN", constraint),
            JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => ("LEFT JOIN", constraint),
            JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => ("RIGHT JOIN", constraint),
            JoinOperator::FullOuter(constraint) => ("FULL JOIN", constraint),
            JoinOperator::CrossJoin(constraint) => ("CROSS JOIN", constraint),
            JoinOperator::Semi(constraint) | JoinOperator::LeftSemi(constraint) => ("EXISTS", constraint),
            JoinOperator::Anti(constraint) | JoinOperator::LeftAnti(constraint) => ("NOT EXISTS", constraint),
            _ => return Err(SqlError::unsupported("this kind of join")),
        };
        let (sql, relation) = self.factor(&join.relation, ctes)?;
        let left = from.scope.relations.len();
        from.scope.push(relation);
        let condition = match constraint {
            JoinConstraint::On(condition) => Some(self.condition(condition, &from.scope)?),
            JoinConstraint::Using(columns) => {
                let columns =
                    columns.iter().map(|name| Ok(parts(name)?.join("."))).collect::<Result<Vec<_>, SqlError>>()?;
                Some(self.using(&mut from.scope, left, &columns, keyword)?)
            }
            JoinConstraint::Natural => {
                let columns = shared(&from.scope, left);
                (!columns.is_empty()).then(|| self.using(&mut from.scope, left, &columns, keyword)).transpose()?
            }
            JoinConstraint::None => None,
        };
        if keyword.ends_with("EXISTS") {
            Rc::make_mut(&mut from.scope.relations).truncate(left);
            let condition = condition.unwrap_or_else(|| "1".to_owned());
            from.conditions.push(format!("{keyword} (SELECT 1 FROM {sql} WHERE {condition})"));
            return Ok(());
        }
        from.sql.push_str(&format!(" {keyword} {sql}"));
        if let Some(condition) = condition {
            from.sql.push_str(&format!(" ON {condition}"));
        }
        Ok(())
    }

    /// A boolean expression over rows.
    pub(crate) fn condition(&self, condition: &Expr, scope: &Scope<'_>) -> Result<String, SqlError> {
        if has_window(condition) {
            return Err(SqlError::new(
                "INVALID_WHERE_CONDITION",
                &format!(
                    "The WHERE condition \"{condition}\" contains invalid expressions: window functions. Rewrite the query to avoid window functions, aggregate functions, and generator functions in the WHERE clause."
                ),
                "42903",
            ));
        }
        let scope = scope.with_mode(Mode::Row);
        let value = self.expr(condition, &scope)?;
        Ok(self.boolean(value, condition)?.sql)
    }

    pub(crate) fn factor(&self, factor: &TableFactor, ctes: &Ctes) -> Result<(String, Relation), SqlError> {
        match factor {
            TableFactor::Table {
                name, alias, args, version, sample, json_path, partitions, with_ordinality, ..
            } => {
                if let Some(TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) =
                    sample
                {
                    let mut whole = factor.clone();
                    if let TableFactor::Table { sample, .. } = &mut whole {
                        *sample = None;
                    }
                    return self.sample(self.factor(&whole, ctes)?, sample);
                }
                let name = parts(name)?;
                if let (Some(args), [function]) = (args, name.as_slice())
                    && function.eq_ignore_ascii_case("range")
                    && args.settings.is_none()
                {
                    return self.range(&args.args, alias.as_ref());
                }
                if let (Some(args), [function]) = (args, name.as_slice())
                    && function.eq_ignore_ascii_case("read_files")
                    && args.settings.is_none()
                {
                    return self.read_files(&args.args, alias.as_ref());
                }
                if args.is_some() || json_path.is_some() || !partitions.is_empty() || *with_ordinality {
                    return Err(SqlError::unsupported("table functions other than range, read_files and explode"));
                }
                if let Some(version) = version {
                    self.travel(&name, version)?;
                }
                self.table(&name, alias.as_ref(), ctes)
            }
            TableFactor::Derived { lateral: false, subquery, alias, sample } => {
                let compiled = self.deeper(|| self.query(subquery, None, ctes))?;
                let names = alias.iter().map(|alias| alias.name.value.clone()).collect();
                let derived = self.derived(&compiled, names, alias.as_ref())?;
                match sample {
                    Some(TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) => {
                        self.sample(derived, sample)
                    }
                    None => Ok(derived),
                }
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => match table_with_joins.joins.as_slice() {
                [] => self.deeper(|| self.factor(&table_with_joins.relation, ctes)),
                _ => Err(SqlError::unsupported("joins in parentheses")),
            },
            TableFactor::Pivot { .. } => self.pivot(factor, ctes),
            TableFactor::Unpivot { .. } => self.unpivot(factor, ctes),
            _ => Err(SqlError::unsupported("this kind of relation in FROM")),
        }
    }

    fn table(&self, name: &[String], alias: Option<&TableAlias>, ctes: &Ctes) -> Result<(String, Relation), SqlError> {
        let names = alias.map(|alias| vec![alias.name.value.clone()]);
        if let [single] = name
            && let Some((_, compiled)) = ctes.iter().rev().find(|(cte, _)| cte.eq_ignore_ascii_case(single))
        {
            return self.derived(compiled, names.unwrap_or_else(|| name.to_vec()), alias);
        }
        if let [single] = name
            && let Some(view) = self.session.temporary_view(single)
        {
            let compiled = self.view_query(&view.query, &view.catalog, &view.schema, &view.columns)?;
            return self.derived(&compiled, names.unwrap_or_else(|| name.to_vec()), alias);
        }
        if let Some(relation) = self.path(name, alias) {
            return relation;
        }
        let full = self.qualify(name)?;
        let names = names.unwrap_or_else(|| full.to_vec());
        if let Some(compiled) = self.information_schema(&full) {
            return self.derived(&compiled, names, alias);
        }
        let Some(table) = self.catalog.table(&full) else {
            return Err(SqlError::table_not_found(name));
        };
        if let Some(view) = &table.view_definition {
            let place = table.node.properties.get("view.catalogAndNamespace").and_then(|place| place.split_once('.'));
            let (catalog, schema) = place.unwrap_or((&self.session.catalog, &self.session.schema));
            let names_of = table.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
            let compiled = self.view_query(view, catalog, schema, &names_of)?;
            return self.derived(&compiled, names, alias);
        }
        let columns: Vec<_> = table.columns.iter().map(|column| (column.clone(), identifier(&column.name))).collect();
        self.named(&identifier(&table.full_name()), &columns, names, alias)
    }

    /// The query of a view, with its names resolved where it was made.
    fn view_query(&self, view: &str, catalog: &str, schema: &str, names: &[String]) -> Result<Compiled, SqlError> {
        let session = Session { catalog: catalog.to_owned(), schema: schema.to_owned(), ..self.session.clone() };
        self.in_view(&session, |compiler| {
            let sqlparser::ast::Statement::Query(query) = statement(view, tokens(view)?)? else {
                return Err(SqlError::unsupported("views that are not queries"));
            };
            let mut compiled = compiler.query(&query, None, &Ctes::new())?;
            if compiled.columns.len() == names.len() {
                for (column, name) in compiled.columns.iter_mut().zip(names) {
                    column.name.clone_from(name);
                }
            }
            Ok(compiled)
        })
    }

    /// A compiled query as a relation.
    pub(super) fn derived(
        &self,
        compiled: &Compiled,
        names: Vec<String>,
        alias: Option<&TableAlias>,
    ) -> Result<(String, Relation), SqlError> {
        self.inline(compiled)?;
        let columns: Vec<_> =
            compiled.columns.iter().enumerate().map(|(index, column)| (column.clone(), format!("c{index}"))).collect();
        // SQLite takes a recursive relation by its bare name only.
        let source = if compiled.sql.contains(' ') { format!("({})", compiled.sql) } else { compiled.sql.clone() };
        self.named(&source, &columns, names, alias)
    }

    fn named(
        &self,
        source: &str,
        columns: &[(Column, String)],
        names: Vec<String>,
        alias: Option<&TableAlias>,
    ) -> Result<(String, Relation), SqlError> {
        let sql_alias = self.alias();
        let renamed =
            alias.map(|alias| values(&alias.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>()));
        let renamed = renamed.unwrap_or_default();
        if !renamed.is_empty() && renamed.len() != columns.len() {
            return Err(SqlError::new(
                "ASSIGNMENT_ARITY_MISMATCH",
                &format!(
                    "Number of column aliases does not match number of columns. Number of column aliases: {}; number of columns: {}.",
                    renamed.len(),
                    columns.len()
                ),
                "42802",
            ));
        }
        let columns = columns
            .iter()
            .enumerate()
            .map(|(index, (column, sql))| Readable {
                name: renamed.get(index).unwrap_or(&column.name).clone(),
                value: Typed::new(format!("{sql_alias}.{sql}"), column.kind.clone()),
                hidden: false,
            })
            .collect();
        Ok((format!("{source} AS {sql_alias}"), Relation { names, columns }))
    }
}
