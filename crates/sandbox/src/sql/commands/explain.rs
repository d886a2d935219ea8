//! EXPLAIN: a plan in Spark's form, read from the query.
//!
//! Derived: the operators are those that Databricks would choose for small tables; nothing is optimized.

use std::fmt::Write as _;

use sqlparser::ast::{
    Expr, GroupByExpr, Join, JoinConstraint, JoinOperator, LimitClause, Query, Select, SetExpr, SetOperator, Statement,
    TableFactor,
};

use crate::sql::compile::{Compiled, Compiler, identifier};
use crate::sql::engine::{Table, Work};
use crate::sql::error::SqlError;
use crate::sql::parse::{parts, statement, tokens};
use crate::sql::relation::Ctes;
use crate::sql::select::has_aggregate;
use crate::workspace::catalog::Name;
use crate::workspace::lock;

/// How much EXPLAIN tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    Simple,
    Extended,
    Formatted,
    Cost,
}

/// An operator: its names in logical and physical plans, and what it works on.
struct Node {
    logical: &'static str,
    physical: &'static str,
    arguments: String,
    table: Option<Name>,
    children: Vec<Node>,
}

impl Node {
    fn new(logical: &'static str, physical: &'static str, arguments: impl Into<String>, children: Vec<Self>) -> Self {
        Self { logical, physical, arguments: arguments.into(), table: None, children }
    }
}

impl Work<'_> {
    pub(super) fn explain(&self, detail: Detail, sql: &str) -> Result<Table, SqlError> {
        let Statement::Query(query) = statement(sql, tokens(sql)?)? else {
            return Err(SqlError::unsupported("EXPLAIN of anything but a query"));
        };
        let (compiled, plan) = {
            let catalog = lock(self.catalog);
            let compiler = Compiler::new(&catalog, self.session);
            let compiled = compiler.query(&query, None, &Ctes::new())?;
            (compiled, compiler.plan(&query, &Vec::new())?)
        };
        let text = match detail {
            Detail::Simple => physical(&plan),
            Detail::Formatted => formatted(&plan),
            Detail::Extended => format!(
                "== Parsed Logical Plan ==\n{0}\n== Analyzed Logical Plan ==\n{1}\n{0}\n== Optimized Logical Plan ==\n{0}\n{2}",
                tree(&plan, &|node| logical(node)),
                output(&compiled),
                physical(&plan)
            ),
            Detail::Cost => format!(
                "== Optimized Logical Plan ==\n{}\n{}",
                tree(&plan, &|node| format!("{}{}", logical(node), self.statistics(node))),
                physical(&plan)
            ),
        };
        Ok(Table::of_texts(["plan"], [[text]]))
    }

    fn statistics(&self, node: &Node) -> String {
        let Some(table) = &node.table else { return String::new() };
        let sql = format!("SELECT count(*) FROM {}", identifier(&table.join(".")));
        let rows = self.connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap_or_default();
        format!(", Statistics(sizeInBytes={}.0 B, rowCount={rows})", rows.saturating_mul(64))
    }
}

fn output(compiled: &Compiled) -> String {
    let columns: Vec<_> =
        compiled.columns.iter().map(|column| format!("{}: {}", column.name, column.kind.catalog_text())).collect();
    columns.join(", ")
}

fn logical(node: &Node) -> String {
    format!("{} {}", node.logical, node.arguments).trim_end().to_owned()
}

fn physical(plan: &Node) -> String {
    let inner = tree(plan, &|node| format!("{} {}", node.physical, node.arguments).trim_end().to_owned());
    let mut text = "== Physical Plan ==\nAdaptiveSparkPlan isFinalPlan=false\n+- == Initial Plan ==\n".to_owned();
    for line in inner.lines() {
        let _ = writeln!(text, "   {line}");
    }
    text + "\n\n== Photon Explanation ==\nThe query is fully supported by Photon."
}

/// The operators, each under the one it feeds.
fn tree(plan: &Node, shown: &dyn Fn(&Node) -> String) -> String {
    fn write(node: &Node, shown: &dyn Fn(&Node) -> String, lead: &str, mark: &str, rest: &str, text: &mut String) {
        let _ = writeln!(text, "{lead}{mark}{}", shown(node));
        let inner = format!("{lead}{rest}");
        for (index, child) in node.children.iter().enumerate() {
            let last = index + 1 == node.children.len();
            let (mark, rest) = if last { ("+- ", "   ") } else { (":- ", ":  ") };
            write(child, shown, &inner, mark, rest, text);
        }
    }
    let mut text = String::new();
    write(plan, shown, "", "", "", &mut text);
    text
}

/// The tree with numbers, and below it each operator by its number.
fn formatted(plan: &Node) -> String {
    fn number<'a>(node: &'a Node, all: &mut Vec<&'a Node>) {
        for child in &node.children {
            number(child, all);
        }
        all.push(node);
    }
    let mut all = Vec::new();
    number(plan, &mut all);
    let of = |wanted: &Node| all.iter().position(|node| std::ptr::eq(*node, wanted)).map_or(0, |index| index + 1);
    let mut text = format!("== Physical Plan ==\nAdaptiveSparkPlan ({})\n+- == Initial Plan ==\n", all.len() + 1);
    for line in tree(plan, &|node| format!("{} ({})", node.physical, of(node))).lines() {
        let _ = writeln!(text, "   {line}");
    }
    for (index, node) in all.iter().enumerate() {
        let _ = write!(text, "\n\n({}) {}", index + 1, node.physical);
        if let Some(table) = &node.table {
            let _ = write!(text, "\nLocation: {}", table.join("."));
        }
        if !node.arguments.is_empty() {
            let _ = write!(text, "\nArguments: {}", node.arguments);
        }
    }
    let _ = write!(text, "\n\n({}) AdaptiveSparkPlan\nArguments: isFinalPlan=false", all.len() + 1);
    text
}

type Named<'a> = Vec<(String, &'a Query)>;

impl Compiler<'_> {
    fn plan<'a>(&self, query: &'a Query, known: &Named<'a>) -> Result<Node, SqlError> {
        let mut known = known.clone();
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        known.extend(tables.map(|cte| (cte.alias.name.value.clone(), cte.query.as_ref())));
        // A recursive query would be read without end.
        let recursive = query.with.as_ref().is_some_and(|with| with.recursive);
        let mut node = self.deeper(|| self.body_plan(&query.body, if recursive { &[] } else { &known }))?;
        if let Some(order) = &query.order_by {
            let terms = order.to_string().trim_start_matches("ORDER BY ").to_owned();
            node = Node::new("Sort", "PhotonSort", format!("[{terms}], true"), vec![node]);
        }
        if let Some(LimitClause::LimitOffset { limit: Some(limit), .. }) = &query.limit_clause {
            node = Node::new("GlobalLimit", "PhotonGlobalLimit", limit.to_string(), vec![node]);
        }
        Ok(node)
    }

    fn body_plan<'a>(&self, body: &'a SetExpr, known: &[(String, &'a Query)]) -> Result<Node, SqlError> {
        let known = known.to_vec();
        Ok(match body {
            SetExpr::Select(select) => self.select_plan(select, &known)?,
            SetExpr::Query(query) => self.deeper(|| self.plan(query, &known))?,
            SetExpr::SetOperation { left, op, right, .. } => {
                let children =
                    vec![self.deeper(|| self.body_plan(left, &known))?, self.deeper(|| self.body_plan(right, &known))?];
                match op {
                    SetOperator::Union => Node::new("Union false, false", "PhotonUnion", "", children),
                    SetOperator::Intersect => Node::new("Intersect", "PhotonBroadcastHashJoin", "LeftSemi", children),
                    _ => Node::new("Except", "PhotonBroadcastHashJoin", "LeftAnti", children),
                }
            }
            _ => Node::new("LocalRelation", "LocalTableScan", "", vec![]),
        })
    }

    fn select_plan<'a>(&self, select: &'a Select, known: &Named<'a>) -> Result<Node, SqlError> {
        let mut from: Option<Node> = None;
        for table in &select.from {
            let mut node = self.factor_plan(&table.relation, known)?;
            for join in &table.joins {
                let right = self.factor_plan(&join.relation, known)?;
                node = joined(join, node, right);
            }
            from = Some(match from {
                Some(left) => {
                    Node::new("Join Cross", "PhotonBroadcastNestedLoopJoin", "BuildRight, Cross", vec![left, node])
                }
                None => node,
            });
        }
        let mut node = from.unwrap_or_else(|| Node::new("OneRowRelation", "Scan OneRowRelation", "", vec![]));
        if let Some(condition) = &select.selection {
            node = Node::new("Filter", "PhotonFilter", format!("({condition})"), vec![node]);
        }
        let items: Vec<_> = select.projection.iter().map(ToString::to_string).collect();
        let keys: Vec<_> = match &select.group_by {
            GroupByExpr::Expressions(keys, _) => keys.iter().map(ToString::to_string).collect(),
            GroupByExpr::All(_) => vec!["ALL".to_owned()],
        };
        let is_call = |item: &sqlparser::ast::SelectItem| match item {
            sqlparser::ast::SelectItem::UnnamedExpr(expr) | sqlparser::ast::SelectItem::ExprWithAlias { expr, .. } => {
                has_aggregate(expr)
            }
            _ => false,
        };
        let calls: Vec<_> = select.projection.iter().filter(|item| is_call(item)).map(ToString::to_string).collect();
        if !keys.is_empty() || !calls.is_empty() {
            let what = format!("(keys=[{}], functions=[{}])", keys.join(", "), calls.join(", "));
            let exchange = if keys.is_empty() {
                "SinglePartition".to_owned()
            } else {
                format!("hashpartitioning({})", keys.join(", "))
            };
            let partial = Node::new("Aggregate", "PhotonGroupingAgg", format!("partial {what}"), vec![node]);
            let shuffle = Node::new("RepartitionByExpression", "PhotonShuffleExchange", exchange, vec![partial]);
            node = Node::new("Aggregate", "PhotonGroupingAgg", what, vec![shuffle]);
        }
        if let Some(having) = &select.having {
            node = Node::new("Filter", "PhotonFilter", format!("({having})"), vec![node]);
        }
        if items.iter().any(|item| item.to_uppercase().contains(" OVER ")) {
            let windows: Vec<_> = items.iter().filter(|item| item.to_uppercase().contains(" OVER ")).cloned().collect();
            node = Node::new("Window", "PhotonWindow", format!("[{}]", windows.join(", ")), vec![node]);
        }
        if let Some(qualify) = &select.qualify {
            node = Node::new("Filter", "PhotonFilter", format!("({qualify})"), vec![node]);
        }
        node = Node::new("Project", "PhotonProject", format!("[{}]", items.join(", ")), vec![node]);
        if select.distinct.is_some() {
            node = Node::new("Distinct", "PhotonGroupingAgg", format!("(keys=[{}])", items.join(", ")), vec![node]);
        }
        Ok(node)
    }

    fn factor_plan<'a>(&self, factor: &'a TableFactor, known: &Named<'a>) -> Result<Node, SqlError> {
        match factor {
            TableFactor::Derived { subquery, .. } => self.deeper(|| self.plan(subquery, known)),
            TableFactor::Table { name, args: None, .. } => {
                let name = parts(name)?;
                if let [single] = name.as_slice()
                    && let Some(place) = known.iter().rposition(|(known, _)| known.eq_ignore_ascii_case(single))
                    && let Some((_, query)) = known.get(place)
                {
                    // What it names was known before it.
                    let before = known.get(..place).unwrap_or_default().to_vec();
                    return self.deeper(|| self.plan(query, &before));
                }
                let full = self.qualify(&name)?;
                let Some(table) = self.catalog.table(&full) else {
                    return Ok(Node::new("LocalRelation", "LocalTableScan", name.join("."), vec![]));
                };
                if let Some(view) = &table.view_definition {
                    let inner = match statement(view, tokens(view)?)? {
                        Statement::Query(query) => {
                            self.in_view(self.session, |compiler| compiler.plan(&query, &Vec::new()))?
                        }
                        _ => return Err(SqlError::unsupported("views that are not queries")),
                    };
                    return Ok(Node::new("View", "PhotonProject", format!("({})", full.join(".")), vec![inner]));
                }
                let columns: Vec<_> = table.columns.iter().map(|column| column.name.clone()).collect();
                let what = format!("{}[{}]", full.join("."), columns.join(","));
                let mut node = Node::new("Relation", "PhotonScan parquet", what, vec![]);
                node.table = Some(full);
                Ok(node)
            }
            other => {
                let mut text = other.to_string();
                text.truncate(text.char_indices().nth(80).map_or(text.len(), |(at, _)| at));
                Ok(Node::new("Generate", "PhotonGenerate", text, vec![]))
            }
        }
    }
}

fn joined(join: &Join, left: Node, right: Node) -> Node {
    let (kind, constraint) = match &join.join_operator {
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => ("LeftOuter", Some(constraint)),
        JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => ("RightOuter", Some(constraint)),
        JoinOperator::FullOuter(constraint) => ("FullOuter", Some(constraint)),
        JoinOperator::Semi(constraint) | JoinOperator::LeftSemi(constraint) => ("LeftSemi", Some(constraint)),
        JoinOperator::Anti(constraint) | JoinOperator::LeftAnti(constraint) => ("LeftAnti", Some(constraint)),
        JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => ("Inner", Some(constraint)),
        _ => ("Cross", None),
    };
    let equal = |condition: &Expr| matches!(condition, Expr::BinaryOp { op, .. } if op.to_string() == "=" || op.to_string() == "AND");
    match constraint {
        Some(JoinConstraint::On(condition)) if equal(condition) => Node::new(
            "Join",
            "PhotonBroadcastHashJoin",
            format!("[{condition}], {kind}, BuildRight"),
            vec![left, right],
        ),
        Some(JoinConstraint::Using(columns)) => {
            let columns: Vec<_> = columns.iter().map(ToString::to_string).collect();
            let what = format!("[{}], {kind}, BuildRight", columns.join(", "));
            Node::new("Join", "PhotonBroadcastHashJoin", what, vec![left, right])
        }
        Some(JoinConstraint::On(condition)) => {
            let what = format!("BuildRight, {kind}, ({condition})");
            Node::new("Join", "PhotonBroadcastNestedLoopJoin", what, vec![left, right])
        }
        _ => Node::new("Join", "PhotonBroadcastNestedLoopJoin", format!("BuildRight, {kind}"), vec![left, right]),
    }
}
