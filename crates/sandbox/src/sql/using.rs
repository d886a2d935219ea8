//! JOIN … USING and NATURAL joins: each shared column is one column of the result, and comes first.

use std::rc::Rc;

use super::compile::{Compiler, Readable, Relation, Scope, Typed};
use super::error::SqlError;
use super::types::Type;

impl Compiler<'_> {
    /// The condition of a join over shared columns, which become one in the scope; `left` relations stand before it.
    pub(super) fn using(
        &self,
        scope: &mut Scope<'_>,
        left: usize,
        columns: &[String],
        keyword: &str,
    ) -> Result<String, SqlError> {
        let mut conditions = Vec::new();
        let mut merged = Vec::new();
        let (before, after) = Rc::make_mut(&mut scope.relations).split_at_mut(left);
        for name in columns {
            let first = shared_column(before, name)?;
            let second = shared_column(after, name)?;
            let (a, b) = (first.value.clone(), second.value.clone());
            let place = sqlparser::ast::Expr::Identifier(name.as_str().into());
            let [x, y] = self.unified([a.clone(), b.clone()], &place)?;
            conditions.push(format!("{x} = {y}"));
            let value = match keyword {
                "RIGHT JOIN" => b,
                "FULL JOIN" => {
                    let kind = a.kind.common(&b.kind).unwrap_or(Type::Void);
                    Typed::new(format!("coalesce({x}, {y})"), kind)
                }
                _ => a,
            };
            merged.push(Readable { name: first.name.clone(), value, hidden: false });
            if !keyword.ends_with("EXISTS") {
                (first.hidden, second.hidden) = (true, true);
            }
        }
        if !keyword.ends_with("EXISTS") {
            Rc::make_mut(&mut scope.relations).insert(0, Relation { names: Vec::new(), columns: merged });
        }
        Ok(conditions.join(" AND "))
    }
}

fn shared_column<'r>(relations: &'r mut [Relation], name: &str) -> Result<&'r mut Readable, SqlError> {
    let mut found = relations
        .iter_mut()
        .flat_map(|relation| &mut relation.columns)
        .filter(|column| column.name.eq_ignore_ascii_case(name) && !column.hidden);
    let Some(first) = found.next() else {
        return Err(SqlError::new(
            "UNRESOLVED_USING_COLUMN_FOR_JOIN",
            &format!("USING column `{name}` cannot be resolved on one side of the join."),
            "42703",
        ));
    };
    match found.next() {
        None => Ok(first),
        Some(_) => Err(SqlError::ambiguous(name)),
    }
}

/// The columns of a NATURAL join.
pub(super) fn shared(scope: &Scope<'_>, left: usize) -> Vec<String> {
    let visible = |relation: &Relation| {
        relation
            .columns
            .iter()
            .filter(|column| !column.hidden)
            .map(|column| column.name.to_lowercase())
            .collect::<Vec<_>>()
    };
    let after = scope.relations.get(left).map(visible).unwrap_or_default();
    scope.relations.iter().take(left).flat_map(visible).filter(|name| after.contains(name)).collect()
}
