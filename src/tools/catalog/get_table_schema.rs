//! `get_table_schema`: the columns and properties of a table; on request, what is in it too.

use databricks::requests::catalog::tables;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::definition::Composite;
use crate::domain::catalog::table_contents::{self, Contents};
use crate::domain::catalog::table_name;
use crate::domain::request;
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Three-part name `catalog.schema.table`, unquoted, from `search_tables`.
    full_name: String,
    #[serde(flatten)]
    contents: Contents,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    table_name::check(&input.full_name)?;
    let request = tables::Get::new(&input.full_name).include_browse(true).include_delta_metadata(true);
    let table = context.send(request).await?;
    if !["full_name", "name", "columns"].iter().any(|field| table.get(*field).is_some_and(|value| !value.is_null())) {
        return Err(Error::unclear("the answer of the workspace has neither the name nor the columns of a table"));
    }
    let mut answer = describe(&table, &input.full_name);
    if input.contents.is_asked_for() {
        table_contents::add(&context, &mut answer, &table, &input.full_name, &input.contents).await;
    }
    shape::exact(&mut answer);
    let cuts = shape::fit(&mut answer, context.budget);
    shape::notice(&mut answer, cuts, "select what you need from `information_schema.columns` with `execute_sql`");
    Ok(answer)
}

/// The facts of a table that has them; nothing is said of what it has not.
fn describe(table: &Value, name: &str) -> Value {
    let mut facts = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        let is_empty = |value: &Value| match value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            _ => false,
        };
        if let Some(value) = value.filter(|value| !is_empty(value)) {
            facts.insert(name.to_owned(), value);
        }
    };
    let own = |name: &str| table.get(name).cloned();
    let time = |name: &str| request::integer(table, name).and_then(shape::time);
    put("full_name", Some(own("full_name").unwrap_or_else(|| name.into())));
    for name in ["table_type", "data_source_format", "comment", "owner", "browse_only"] {
        put(name, own(name));
    }
    put("columns", Some(request::array(table, "columns").iter().map(column).collect()));
    put("partitioned_by", Some(partition(table)));
    put("clustered_by", clustering(table));
    let constraints = request::array(table, "table_constraints");
    let key = constraints.iter().find_map(|constraint| constraint.get("primary_key_constraint"));
    put("primary_key", key.and_then(|key| key.get("child_columns").cloned()));
    let keys = constraints.iter().filter_map(|constraint| constraint.get("foreign_key_constraint"));
    let keys = keys.map(|key| {
        json!({ "columns": key.get("child_columns"), "references": key.get("parent_table"), "parent_columns": key.get("parent_columns") })
    });
    put("foreign_keys", Some(keys.collect()));
    let others =
        constraints.iter().filter_map(|constraint| constraint.pointer("/named_table_constraint/name").cloned());
    put("other_constraints", Some(others.collect()));
    put("row_filter", table.pointer("/row_filter/function_name").cloned());
    for name in ["view_definition", "properties", "storage_location", "pipeline_id"] {
        put(name, own(name));
    }
    for name in ["created_at", "updated_at"] {
        put(name, time(name));
    }
    Value::Object(facts)
}

/// A column, without what goes without saying: nullable, no comment, no mask.
fn column(column: &Value) -> Value {
    let mut facts = json!({ "name": column.get("name"), "type": column.get("type_text") });
    if column.get("nullable").and_then(Value::as_bool) == Some(false) {
        shape::put(&mut facts, "nullable", false);
    }
    if let Some(comment) = request::text(column, "comment") {
        shape::put(&mut facts, "comment", comment);
    }
    if let Some(mask) = column.pointer("/mask/function_name").and_then(Value::as_str) {
        shape::put(&mut facts, "mask", mask);
    }
    facts
}

fn partition(table: &Value) -> Value {
    let columns = request::array(table, "columns").iter();
    let mut parts: Vec<_> =
        columns.filter_map(|column| Some((request::integer(column, "partition_index")?, column))).collect();
    parts.sort_by_key(|(index, _)| *index);
    parts.into_iter().filter_map(|(_, column)| column.get("name").cloned()).collect()
}

/// Clustering columns are a property that holds JSON: a list of names, each a list of its parts.
fn clustering(table: &Value) -> Option<Value> {
    let properties = table.get("properties")?;
    let names =
        ["clusteringColumns", "delta.clusteringColumns"].iter().find_map(|name| request::text(properties, name))?;
    let Ok(columns) = serde_json::from_str::<Vec<Vec<String>>>(names) else { return Some(names.into()) };
    Some(columns.iter().map(|parts| parts.join(".")).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::describe;

    #[test]
    fn facts_are_told_and_what_goes_without_saying_is_not() {
        let table = json!({
            "full_name": "main.sales.orders", "table_type": "MANAGED", "data_source_format": "DELTA", "comment": "",
            "columns": [
                { "name": "id", "type_text": "bigint", "nullable": false, "comment": "the key" },
                { "name": "day", "type_text": "date", "nullable": true, "partition_index": 1 },
                { "name": "region", "type_text": "string", "partition_index": 0, "mask": { "function_name": "main.m" } },
            ],
            "properties": { "clusteringColumns": "[[\"id\"],[\"a\",\"b\"]]" },
            "table_constraints": [
                { "primary_key_constraint": { "name": "pk", "child_columns": ["id"] } },
                { "foreign_key_constraint": { "name": "fk", "child_columns": ["c"], "parent_table": "main.sales.c", "parent_columns": ["id"] } },
                { "named_table_constraint": { "name": "positive" } },
            ],
            "updated_at": "1767225600000", "created_at": null, "view_definition": null,
        });
        assert_eq!(
            describe(&table, "x"),
            json!({
                "full_name": "main.sales.orders", "table_type": "MANAGED", "data_source_format": "DELTA",
                "columns": [
                    { "name": "id", "type": "bigint", "nullable": false, "comment": "the key" },
                    { "name": "day", "type": "date" },
                    { "name": "region", "type": "string", "mask": "main.m" },
                ],
                "partitioned_by": ["region", "day"],
                "clustered_by": ["id", "a.b"],
                "primary_key": ["id"],
                "foreign_keys": [{ "columns": ["c"], "references": "main.sales.c", "parent_columns": ["id"] }],
                "other_constraints": ["positive"],
                "properties": { "clusteringColumns": "[[\"id\"],[\"a\",\"b\"]]" },
                "updated_at": "2026-01-01T00:00:00Z",
            })
        );
        assert_eq!(describe(&json!({}), "main.a.b"), json!({ "full_name": "main.a.b" }));
    }
}
