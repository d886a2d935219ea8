//! MERGE INTO: pairs of rows are found first, each gets the first clause that applies, then all changes happen.

use sqlparser::ast::{
    Assignment, AssignmentTarget, Expr, Merge, MergeAction, MergeClauseKind, MergeInsertExpr, MergeInsertKind,
    MergeUpdateKind, TableWithJoins,
};

use crate::workspace::catalog;
use crate::workspace::lock;

use super::compile::{Compiler, Readable, Relation, Scope, Typed, identifier};
use super::dml::target;
use super::engine::{Table, Work};
use super::error::SqlError;
use super::parse::parts;
use super::relation::Ctes;
use super::types::Column;

/// Temporary tables: the rows of the source, the pairs that match, and the clause for each.
const SOURCE: &str = "temp.\"#source\"";
const PAIRS: &str = "temp.\"#pairs\"";
const CHOSEN: &str = "temp.\"#chosen\"";

/// The steps of a MERGE in SQLite's dialect.
struct Plan<'a> {
    table: &'a catalog::Table,
    prepare: Vec<String>,
    /// Whether several source rows for one target row are an error.
    strict: bool,
    updates: Vec<String>,
    deletes: Vec<String>,
    inserts: Vec<String>,
}

impl Work<'_> {
    pub(crate) fn merge(&self, merge: &Merge) -> Result<Table, SqlError> {
        let (name, full_name, plan) = {
            let catalog = lock(self.catalog);
            let compiler = Compiler::new(&catalog, self.session);
            let plan = compiler.merge(merge)?;
            let (name, full_name) = (plan.table.name.clone(), plan.table.full_name());
            (name, full_name, (plan.prepare, plan.strict, plan.updates, plan.deletes, plan.inserts))
        };
        let (prepare, strict, updates, deletes, inserts) = plan;
        self.drop_temporary()?;
        let counts = self.all_or_nothing(|| {
            for step in &prepare {
                self.execute(step)?;
            }
            if strict && self.has_ambiguous_pairs()? {
                return Err(SqlError::new(
                    "DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE",
                    &format!("Cannot perform Merge as multiple source rows matched and attempted to modify the same target row in the Delta table `{}` in possibly conflicting ways.", full_name.replace('.', "`.`")),
                    "21506",
                ));
            }
            let run = |steps: &[String]| -> Result<usize, SqlError> {
                steps.iter().try_fold(0, |sum, step| Ok(sum + self.execute(step)?))
            };
            Ok((run(&updates)?, run(&deletes)?, run(&inserts)?))
        });
        self.drop_temporary()?;
        let (updated, deleted, inserted) = counts?;
        if let Some(table) = lock(self.catalog).tables.get_mut(&name) {
            table.node.updated_at = self.session.now_micros / 1000;
        }
        let metrics =
            [("numTargetRowsUpdated", updated), ("numTargetRowsDeleted", deleted), ("numTargetRowsInserted", inserted)];
        self.record(&name, "MERGE", &metrics);
        Ok(Table::of_counts(&[
            ("num_affected_rows", updated + deleted + inserted),
            ("num_updated_rows", updated),
            ("num_deleted_rows", deleted),
            ("num_inserted_rows", inserted),
        ]))
    }

    fn drop_temporary(&self) -> Result<(), SqlError> {
        for name in [SOURCE, PAIRS, CHOSEN] {
            self.execute(&format!("DROP TABLE IF EXISTS {name}"))?;
        }
        Ok(())
    }

    fn has_ambiguous_pairs(&self) -> Result<bool, SqlError> {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM {CHOSEN} WHERE s IS NOT NULL AND t IS NOT NULL AND clause IS NOT NULL GROUP BY t HAVING count(*) > 1)"
        );
        self.connection.query_row(&sql, [], |row| row.get(0)).map_err(|error| super::engine::failed(&error))
    }
}

impl Compiler<'_> {
    fn merge(&self, merge: &Merge) -> Result<Plan<'_>, SqlError> {
        if merge.output.is_some() {
            return Err(SqlError::unsupported("MERGE with OUTPUT"));
        }
        let whole = TableWithJoins { relation: merge.table.clone(), joins: Vec::new() };
        let (table, target_scope) = target(self, &whole)?;
        let into = identifier(&table.full_name());
        let (source_sql, source) = self.factor(&merge.source, &Ctes::new())?;
        let list: Vec<_> = source
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| format!("{} AS c{index}", column.value.sql))
            .collect();
        let kept = source.columns.iter().enumerate().map(|(index, column)| Readable {
            value: Typed::new(format!("source.c{index}"), column.value.kind.clone()),
            ..column.clone()
        });
        let mut source_scope = Scope::empty(None);
        source_scope.push(Relation { names: source.names.clone(), columns: kept.collect() });
        let mut both = target_scope.with_mode(target_scope.mode);
        for relation in source_scope.relations.iter() {
            both.push(relation.clone());
        }

        let [mut matched, mut missing, mut orphaned] = [const { Vec::new() }; 3];
        let mut plan = Plan {
            table,
            prepare: Vec::new(),
            strict: false,
            updates: Vec::new(),
            deletes: Vec::new(),
            inserts: Vec::new(),
        };
        for (index, clause) in merge.clauses.iter().enumerate() {
            let (list, scope) = match clause.clause_kind {
                MergeClauseKind::Matched => (&mut matched, &both),
                MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget => (&mut missing, &source_scope),
                MergeClauseKind::NotMatchedBySource => (&mut orphaned, &target_scope),
            };
            let condition = clause.predicate.as_ref().map(|expr| self.condition(expr, scope)).transpose()?;
            list.push(format!("WHEN {} THEN {index}", condition.unwrap_or_else(|| "1".to_owned())));
            let inserts =
                matches!(clause.clause_kind, MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget);
            let from = format!("FROM {CHOSEN} AS chosen LEFT JOIN {SOURCE} AS source ON source.rowid = chosen.s");
            match &clause.action {
                MergeAction::Insert(insert) if inserts => {
                    let (names, values) = self.merge_insert(insert, table, &source_scope)?;
                    plan.inserts.push(format!(
                        "INSERT INTO {into} ({names}) SELECT {values} {from} WHERE chosen.clause = {index}"
                    ));
                }
                MergeAction::Update(update)
                    if !inserts && update.update_predicate.is_none() && update.delete_predicate.is_none() =>
                {
                    let changes = match &update.kind {
                        MergeUpdateKind::Set(assignments) => self.merge_changes(assignments, table, scope)?,
                        MergeUpdateKind::Wildcard => table
                            .columns
                            .iter()
                            .map(|column| {
                                self.assigned(column, source_scope.resolve(std::slice::from_ref(&column.name))?)
                            })
                            .collect::<Result<_, _>>()?,
                    };
                    plan.updates.push(format!(
                        "UPDATE {into} AS target SET {} {from} WHERE chosen.t = target.rowid AND chosen.clause = {index}",
                        changes.join(", ")
                    ));
                }
                MergeAction::Delete { .. } if !inserts => plan
                    .deletes
                    .push(format!("DELETE FROM {into} WHERE rowid IN (SELECT t FROM {CHOSEN} WHERE clause = {index})")),
                _ => return Err(SqlError::unsupported("this clause of MERGE")),
            }
        }
        // A lone unconditional DELETE does the same however often a row matches.
        let single_delete = matched.len() == 1
            && merge.clauses.iter().any(|clause| {
                clause.clause_kind == MergeClauseKind::Matched
                    && clause.predicate.is_none()
                    && matches!(clause.action, MergeAction::Delete { .. })
            });
        plan.strict = !single_delete;
        let on = self.condition(&merge.on, &both)?;
        let case = |clauses: &[String]| {
            if clauses.is_empty() { "NULL".to_owned() } else { format!("CASE {} END", clauses.join(" ")) }
        };
        plan.prepare = vec![
            format!("CREATE TEMP TABLE \"#source\" AS SELECT {} FROM {source_sql}", list.join(", ")),
            format!(
                "CREATE TEMP TABLE \"#pairs\" AS SELECT target.rowid AS t, source.rowid AS s FROM {into} AS target JOIN {SOURCE} AS source ON {on}"
            ),
            "CREATE TEMP TABLE \"#chosen\" (t INTEGER, s INTEGER, clause INTEGER)".to_owned(),
            format!(
                "INSERT INTO {CHOSEN} SELECT t, s, {} FROM {PAIRS} AS pairs JOIN {into} AS target ON target.rowid = t JOIN {SOURCE} AS source ON source.rowid = s",
                case(&matched)
            ),
            format!(
                "INSERT INTO {CHOSEN} SELECT NULL, source.rowid, {} FROM {SOURCE} AS source WHERE source.rowid NOT IN (SELECT s FROM {PAIRS})",
                case(&missing)
            ),
            format!(
                "INSERT INTO {CHOSEN} SELECT target.rowid, NULL, {} FROM {into} AS target WHERE target.rowid NOT IN (SELECT t FROM {PAIRS})",
                case(&orphaned)
            ),
        ];
        Ok(plan)
    }

    fn assigned(&self, column: &Column, value: Typed) -> Result<String, SqlError> {
        Ok(format!("{} = {}", identifier(&column.name), self.cast(value, &column.kind, false)?.sql))
    }

    fn merge_changes(
        &self,
        assignments: &[Assignment],
        table: &catalog::Table,
        scope: &Scope<'_>,
    ) -> Result<Vec<String>, SqlError> {
        assignments
            .iter()
            .map(|assignment| {
                let AssignmentTarget::ColumnName(name) = &assignment.target else {
                    return Err(SqlError::unsupported("tuples in MERGE"));
                };
                let column = column_of(table, &parts(name)?)?;
                self.assigned(column, self.expr(&assignment.value, scope)?)
            })
            .collect()
    }

    /// The column names and values of an INSERT clause.
    fn merge_insert(
        &self,
        insert: &MergeInsertExpr,
        table: &catalog::Table,
        scope: &Scope<'_>,
    ) -> Result<(String, String), SqlError> {
        let columns: Vec<&Column> = if insert.columns.is_empty() {
            table.columns.iter().collect()
        } else {
            insert.columns.iter().map(|name| column_of(table, &parts(name)?)).collect::<Result<_, _>>()?
        };
        let values: Vec<Typed> = match &insert.kind {
            MergeInsertKind::Wildcard => columns
                .iter()
                .map(|column| scope.resolve(std::slice::from_ref(&column.name)))
                .collect::<Result<_, _>>()?,
            MergeInsertKind::Values(values) => match values.rows.as_slice() {
                [row] => row.content.iter().map(|value: &Expr| self.expr(value, scope)).collect::<Result<_, _>>()?,
                _ => return Err(SqlError::unsupported("several rows in an INSERT of MERGE")),
            },
            MergeInsertKind::Row => return Err(SqlError::unsupported("INSERT ROW")),
        };
        if values.len() != columns.len() {
            return Err(SqlError::unsupported("an INSERT of MERGE with another number of values than columns"));
        }
        let mut cast = Vec::new();
        for (column, value) in columns.iter().zip(values) {
            cast.push(self.cast(value, &column.kind, false)?.sql);
        }
        let names: Vec<_> = columns.iter().map(|column| identifier(&column.name)).collect();
        Ok((names.join(", "), cast.join(", ")))
    }
}

fn column_of<'t>(table: &'t catalog::Table, name: &[String]) -> Result<&'t Column, SqlError> {
    let found = name.last().and_then(|last| table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(last)));
    found.ok_or_else(|| SqlError::column_not_found(name, &[]))
}
