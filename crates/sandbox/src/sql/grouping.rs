//! GROUP BY: its expressions, and the grouping sets of ROLLUP, CUBE and GROUPING SETS.

use sqlparser::ast::{Distinct, Expr, GroupByExpr, GroupByWithModifier, OrderBy, Select, SelectItem};

use super::compile::{Compiled, Compiler, Mode, Scope, Typed};
use super::error::SqlError;
use super::query::ordinal;
use super::select::{has_aggregate, has_window, item_expr, split_direction};
use super::types::Type;

/// Sets of a grouping, at most.
const MOST_SETS: usize = 256;

/// What rows are grouped by.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    /// The SQL of each expression.
    all: Vec<String>,
    /// Those that are NULL in this grouping set; none where there are no sets.
    absent: Vec<String>,
    has_sets: bool,
}

impl Groups {
    /// Plain groups, without sets.
    pub(crate) fn of(all: impl Iterator<Item = String>) -> Self {
        Self { all: all.collect(), ..Self::default() }
    }

    pub(crate) fn contains(&self, sql: &str) -> bool {
        self.all.iter().any(|group| group == sql)
    }

    /// A grouping expression as it reads in this set.
    pub(crate) fn read(&self, value: Typed) -> Typed {
        if self.absent.contains(&value.sql) { Typed::new("NULL", value.kind) } else { value }
    }

    pub(crate) fn clause(&self) -> String {
        // In parentheses, a number is a value and not a position.
        let present = self.all.iter().filter(|group| !self.absent.contains(group));
        let groups: Vec<_> = present.map(|group| format!("({group})")).collect();
        match groups.as_slice() {
            // No rows make no total of a set, unlike those of a SELECT without GROUP BY.
            [] if self.has_sets => " GROUP BY ('')".to_owned(),
            [] => String::new(),
            groups => format!(" GROUP BY {}", groups.join(", ")),
        }
    }
}

/// The sets of GROUP BY as places in the list of its expressions.
type Sets = Vec<Vec<usize>>;

impl Compiler<'_> {
    /// The expressions of GROUP BY, and its sets where it has them.
    pub(super) fn groups(&self, select: &Select, scope: &Scope<'_>) -> Result<(Groups, Option<Sets>), SqlError> {
        let (exprs, modifiers) = match &select.group_by {
            GroupByExpr::All(modifiers) => {
                let exprs =
                    select.projection.iter().filter_map(item_expr).filter(|expr| !has_aggregate(expr)).collect();
                (exprs, modifiers)
            }
            GroupByExpr::Expressions(exprs, modifiers) => (exprs.iter().collect::<Vec<_>>(), modifiers),
        };
        let mut groups = Groups::default();
        let mut sets: Sets = vec![Vec::new()];
        for expr in exprs {
            let choices = match expr {
                Expr::Rollup(parts) => rollup(&self.places(parts, &mut groups, select, scope)?),
                Expr::Cube(parts) => cube(&self.places(parts, &mut groups, select, scope)?)?,
                Expr::GroupingSets(parts) => self.places(parts, &mut groups, select, scope)?,
                Expr::Tuple(parts) => self.places(std::slice::from_ref(parts), &mut groups, select, scope)?,
                expr => {
                    sets.iter_mut().for_each(|set| set.push(groups.all.len()));
                    groups.all.push(self.group(expr, select, scope)?.sql);
                    continue;
                }
            };
            groups.has_sets |= !matches!(expr, Expr::Tuple(_));
            sets =
                sets.iter().flat_map(|set| choices.iter().map(move |more| [set.as_slice(), more].concat())).collect();
            if sets.len() > MOST_SETS {
                return Err(SqlError::unsupported("this many grouping sets"));
            }
        }
        let singles: Sets = (0..groups.all.len()).map(|place| vec![place]).collect();
        for modifier in modifiers {
            sets = match modifier {
                GroupByWithModifier::Rollup => rollup(&singles),
                GroupByWithModifier::Cube => cube(&singles)?,
                GroupByWithModifier::GroupingSets(Expr::GroupingSets(parts)) => {
                    self.places(parts, &mut groups, select, scope)?
                }
                _ => return Err(SqlError::unsupported("GROUP BY with this modifier")),
            };
            groups.has_sets = true;
        }
        let sets = groups.has_sets.then_some(sets);
        Ok((groups, sets))
    }

    /// Where the expressions of each part stand in the list; new ones are added to it.
    fn places(
        &self,
        parts: &[Vec<Expr>],
        groups: &mut Groups,
        select: &Select,
        scope: &Scope<'_>,
    ) -> Result<Sets, SqlError> {
        let mut place = |expr: &Expr| {
            let sql = self.group(expr, select, scope)?.sql;
            Ok(groups.all.iter().position(|group| *group == sql).unwrap_or_else(|| {
                groups.all.push(sql);
                groups.all.len() - 1
            }))
        };
        parts.iter().map(|part| part.iter().map(&mut place).collect()).collect()
    }

    fn group(&self, expr: &Expr, select: &Select, scope: &Scope<'_>) -> Result<Typed, SqlError> {
        if let Some(position) = ordinal(expr) {
            let index = self.position(position, select.projection.len(), "GROUP BY")?;
            let target = select.projection.get(index).and_then(item_expr);
            return match target {
                Some(target) => self.expr(target, scope),
                None => Err(SqlError::unsupported("GROUP BY a position that names *")),
            };
        }
        let outcome = self.expr(expr, scope);
        let Expr::Identifier(name) = expr else { return outcome };
        if outcome.is_ok() {
            return outcome;
        }
        let aliased = select.projection.iter().find_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } if alias.value.eq_ignore_ascii_case(&name.value) => Some(expr),
            _ => None,
        });
        aliased.map_or(outcome, |target| self.expr(target, scope))
    }

    /// One SELECT for each grouping set, all together; `tail` is its FROM and WHERE.
    pub(super) fn by_sets(
        &self,
        select: &Select,
        order: Option<&OrderBy>,
        scope: &Scope<'_>,
        tail: &str,
        (groups, sets): (Groups, Sets),
    ) -> Result<Compiled, SqlError> {
        if select.qualify.is_some() || has_window(select) || order.is_some_and(has_window) {
            return Err(SqlError::unsupported("windows over grouping sets; put the grouping in a subquery"));
        }
        let (mut branches, mut columns, mut directions) = (Vec::new(), Vec::new(), Vec::new());
        for set in sets {
            let absent = groups.all.iter().enumerate().filter(|(place, _)| !set.contains(place));
            let groups = Groups {
                all: groups.all.clone(),
                absent: absent.map(|(_, group)| group.clone()).collect(),
                has_sets: true,
            };
            let mut scope = scope.with_mode(Mode::Group(&groups));
            let items = self.items(&select.projection, None, &mut scope)?;
            let mut list: Vec<_> =
                items.iter().enumerate().map(|(index, (_, sql))| format!("{sql} AS c{index}")).collect();
            let having = match &select.having {
                Some(having) => format!(" HAVING {}", self.boolean(self.expr(having, &scope)?, having)?.sql),
                None => String::new(),
            };
            columns = items.into_iter().map(|(column, _)| column).collect();
            scope.aliases_first = true;
            let terms = match order {
                Some(order) if select.distinct.is_none() => self.order(order, &scope, columns.len())?,
                _ => Vec::new(),
            };
            directions.clear();
            for (index, term) in terms.iter().enumerate() {
                let (value, direction) = split_direction(term);
                list.push(format!("{} AS o{index}", if value.starts_with('c') { "NULL" } else { value }));
                let key = if value.starts_with('c') { value.to_owned() } else { format!("o{index}") };
                directions.push(format!("{key}{direction}"));
            }
            branches.push(format!("SELECT {}{tail}{}{having}", list.join(", "), groups.clause()));
        }
        let shown: Vec<_> = (0..columns.len()).map(|index| format!("c{index}")).collect();
        let distinct = if matches!(select.distinct, Some(Distinct::Distinct)) { "DISTINCT " } else { "" };
        let mut sql = format!("SELECT {distinct}{} FROM ({})", shown.join(", "), branches.join(" UNION ALL "));
        if !distinct.is_empty() {
            return self.ordered(Compiled { sql, columns }, order);
        }
        if !directions.is_empty() {
            sql.push_str(&format!(" ORDER BY {}", directions.join(", ")));
        }
        Ok(Compiled { sql, columns })
    }

    /// `grouping(a)` is 1 where a set leaves `a` out; `grouping_id(a, b)` has a bit for each.
    pub(super) fn grouping(&self, name: &str, arguments: &[Typed], scope: &Scope<'_>) -> Result<Typed, SqlError> {
        let wrong = |text: &str| SqlError::new("UNSUPPORTED_GROUPING_EXPRESSION", text, "42K0E");
        let Mode::Group(groups) = scope.mode else { return Err(wrong("grouping() belongs to GROUP BY.")) };
        if !groups.has_sets {
            return Err(wrong("grouping()/grouping_id() can only be used with GroupingSets/Cube/Rollup."));
        }
        let asked: Vec<_> = match (name, arguments) {
            ("grouping_id", []) => groups.all.iter().collect(),
            (_, arguments) => arguments.iter().map(|argument| &argument.sql).collect(),
        };
        if name == "grouping" && asked.len() != 1 {
            return Err(SqlError::unsupported("`grouping` with these arguments"));
        }
        let mut bits = 0_i64;
        for sql in asked {
            if !groups.contains(sql) {
                return Err(SqlError::new(
                    "GROUPING_COLUMN_MISMATCH",
                    "A column of grouping can't be found in the grouping columns.",
                    "42803",
                ));
            }
            bits = bits << 1 | i64::from(groups.absent.contains(sql));
        }
        Ok(Typed::new(bits.to_string(), if name == "grouping" { Type::TinyInt } else { Type::BigInt }))
    }
}

/// All beginnings of a list, the whole first.
fn rollup(parts: &Sets) -> Sets {
    (0..=parts.len()).rev().map(|length| parts.iter().take(length).flatten().copied().collect()).collect()
}

/// All selections of a list, the whole first.
fn cube(parts: &Sets) -> Result<Sets, SqlError> {
    let count = 1_usize.checked_shl(u32::try_from(parts.len()).unwrap_or(u32::MAX)).filter(|count| *count <= MOST_SETS);
    let count = count.ok_or_else(|| SqlError::unsupported("this many grouping sets"))?;
    let chosen = |set: usize| parts.iter().enumerate().filter(move |(place, _)| set >> place & 1 == 0);
    Ok((0..count).map(|set| chosen(set).flat_map(|(_, part)| part.iter().copied()).collect()).collect())
}
