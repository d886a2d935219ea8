//! What is in a table: rows, statistics of its columns, its size. Each has its own statement, so one that fails does
//! not affect the others.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::cursor::Cursor;
use crate::domain::request;
use crate::domain::sql::statement::{self, Outcome, StatementRequest, Table, TableOutcome};
use crate::domain::sql::warehouse::{self, Warehouse};
use crate::domain::wait::Timeout;
use crate::error::Error;
use crate::shape;

/// Columns that one aggregate query tells about.
const MOST_COLUMNS: usize = 80;
/// Characters of a minimum or maximum.
const MOST_CHARACTERS: usize = 60;
/// Types without an order, or whose values say nothing.
const UNORDERED: [&str; 9] =
    ["ARRAY", "BINARY", "GEOGRAPHY", "GEOMETRY", "INTERVAL", "MAP", "OBJECT", "STRUCT", "VARIANT"];

/// What a call asks for, as its arguments.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Contents {
    /// Adds this many rows.
    #[serde(default)]
    #[schemars(range(min = 0, max = 50))]
    sample_rows: u32,
    /// Adds statistics, which reads the whole table.
    #[serde(default)]
    column_statistics: bool,
    /// SQL warehouse for these; if unset, a running one.
    warehouse_id: Option<String>,
    /// Time to wait for these.
    #[serde(default)]
    timeout_seconds: Timeout,
}

impl Contents {
    /// Whether it asks for anything.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.sample_rows > 0 || self.column_statistics
    }
}

/// Adds what the call asks for, and which warehouse told it. What the table is made of is worth having without.
pub(crate) async fn add(context: &Context, answer: &mut Value, table: &Value, full_name: &str, input: &Contents) {
    let warehouse = match warehouse::choose(context, input.warehouse_id.clone()).await {
        Ok(warehouse) => warehouse,
        Err(error) => {
            let asked = [("sample", input.sample_rows > 0), ("column_statistics", input.column_statistics)];
            for (part, _) in asked.into_iter().filter(|(_, is_asked)| *is_asked) {
                shape::put(answer, part, json!({ "error": error.to_string() }));
            }
            return;
        }
    };
    warehouse.put(answer);
    let name = quoted(full_name);
    let columns = request::array(table, "columns");
    let wait = input.timeout_seconds.seconds();
    let (sample, told, detail) = tokio::join!(
        async {
            if input.sample_rows == 0 {
                return None;
            }
            Some(rows(context, &warehouse, &name, input.sample_rows, wait).await)
        },
        async {
            if !input.column_statistics {
                return None;
            }
            let request = StatementRequest::new(aggregate(&name, columns), &[]);
            Some(statement::table(context, &warehouse, &request, wait).await)
        },
        async {
            if request::text(table, "data_source_format") != Some("DELTA")
                || request::text(table, "view_definition").is_some()
            {
                return None;
            }
            let request = StatementRequest::new(format!("DESCRIBE DETAIL {name}"), &[]);
            statement::table_in_time(context, &warehouse, &request, wait, "raise `timeout_seconds`").await.ok()
        },
    );
    if let Some(detail) = detail
        && let Some(row) = detail.rows.first()
    {
        let number = |column: &str| detail.cell(row, column)?.parse::<i64>().ok();
        let size = [("size_bytes", number("sizeInBytes")), ("files", number("numFiles"))];
        for (field, value) in size {
            if let Some(value) = value {
                shape::put(answer, field, value);
            }
        }
    }
    match told {
        None => {}
        Some(Ok(TableOutcome::Table(told))) => statistics(answer, columns, &told),
        Some(Ok(TableOutcome::Running(running))) => shape::put(answer, "column_statistics", running),
        Some(Err(error)) => shape::put(answer, "column_statistics", json!({ "error": error.to_string() })),
    }
    if let Some(sample) = sample {
        shape::put(answer, "sample", sample.unwrap_or_else(|error| json!({ "error": error.to_string() })));
    }
    if answer.get("row_filter").is_some() {
        shape::advise(answer, "a row filter hides rows: the sample and counts cover only those that you may see");
    }
}

/// The name of a table for SQL, whatever characters are in it.
fn quoted(full_name: &str) -> String {
    let parts = full_name.splitn(3, '.').map(|part| format!("`{}`", part.replace('`', "``")));
    parts.collect::<Vec<_>>().join(".")
}

/// The first rows that come, as `execute_sql` gives them.
async fn rows(context: &Context, warehouse: &Warehouse, name: &str, limit: u32, wait: u64) -> Result<Value, Error> {
    // The table itself needs room as well.
    let budget = shape::Budget { characters: context.budget.characters / 2 };
    let context = Context { budget, ..context.clone() };
    let request = StatementRequest::new(format!("SELECT * FROM {name} LIMIT {limit}"), &[]);
    let sample = match statement::run(&context, warehouse, &request, wait).await? {
        Outcome::Done(statement) => statement::page(&context, *statement, Cursor::default()).await?,
        Outcome::Running(answer) => return Ok(answer),
        Outcome::TooLarge(error) | Outcome::Unserved(error) => return Err(error),
    };
    let paths = ["rows", "returned", "truncated", "hint", "next_page_token", "statement_id"];
    let names = request::array(&sample, "columns").iter().filter_map(|column| column.get("name").cloned());
    let names: Vec<_> = names.collect();
    let mut kept = shape::keep(sample, &paths);
    shape::put(&mut kept, "columns", names);
    if kept.get("truncated") == Some(&Value::Bool(false))
        && let Some(fields) = kept.as_object_mut()
    {
        fields.remove("truncated");
        fields.remove("statement_id");
    }
    Ok(kept)
}

/// One query over the whole table: how many rows, and for each column `n` non-null values, about `d` distinct ones,
/// `l`east and `m`ost.
fn aggregate(name: &str, columns: &[Value]) -> String {
    let parts = columns.iter().take(MOST_COLUMNS).enumerate().flat_map(|(index, column)| {
        let quoted = format!("`{}`", request::text(column, "name").unwrap_or_default().replace('`', "``"));
        let mut parts = vec![format!("count({quoted}) AS n{index}")];
        if is_ordered(column) {
            parts.push(format!("approx_count_distinct({quoted}) AS d{index}"));
            parts.push(format!("CAST(min({quoted}) AS STRING) AS l{index}"));
            parts.push(format!("CAST(max({quoted}) AS STRING) AS m{index}"));
        }
        parts
    });
    let parts: Vec<_> = std::iter::once("count(*) AS total".to_owned()).chain(parts).collect();
    format!("SELECT {} FROM {name}", parts.join(", "))
}

fn is_ordered(column: &Value) -> bool {
    let kind = request::text(column, "type_name").unwrap_or_default().to_uppercase();
    !UNORDERED.contains(&kind.as_str())
}

/// Puts the statistics to the columns they are about.
fn statistics(answer: &mut Value, columns: &[Value], told: &Table) {
    let Some(row) = told.rows.first() else { return };
    let number = |column: &str| told.cell(row, column).and_then(|text| text.parse::<i64>().ok());
    let total = number("total").unwrap_or_default();
    shape::put(answer, "row_count", total);
    let described = answer.get_mut("columns").and_then(Value::as_array_mut).into_iter().flatten();
    for (index, column) in described.take(MOST_COLUMNS).enumerate() {
        let mut facts = Map::new();
        if let Some(present) = number(&format!("n{index}")) {
            facts.insert("nulls".into(), (total - present).into());
        }
        if let Some(distinct) = number(&format!("d{index}")) {
            facts.insert("distinct_about".into(), distinct.into());
        }
        for (field, column) in [("min", format!("l{index}")), ("max", format!("m{index}"))] {
            if let Some(text) = told.cell(row, &column) {
                let is_long = text.chars().count() > MOST_CHARACTERS;
                let shown: String = text.chars().take(MOST_CHARACTERS).collect();
                facts.insert(field.into(), if is_long { format!("{shown}…") } else { shown }.into());
            }
        }
        shape::put(column, "statistics", facts);
    }
    if columns.len() > MOST_COLUMNS {
        let notice = format!("statistics cover the first {MOST_COLUMNS} of {} columns", columns.len());
        shape::advise(answer, &notice);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{aggregate, quoted};

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(quoted("a.b.c`; DROP TABLE x"), "`a`.`b`.`c``; DROP TABLE x`");
        assert_eq!(quoted("a`b"), "`a``b`");
    }

    #[test]
    fn one_query_tells_of_all_columns_what_their_types_allow() {
        let columns = [json!({ "name": "a`b", "type_name": "INT" }), json!({ "name": "m", "type_name": "MAP" })];
        assert_eq!(
            aggregate("`t`", &columns),
            "SELECT count(*) AS total, count(`a``b`) AS n0, approx_count_distinct(`a``b`) AS d0, \
             CAST(min(`a``b`) AS STRING) AS l0, CAST(max(`a``b`) AS STRING) AS m0, count(`m`) AS n1 FROM `t`"
        );
    }
}
