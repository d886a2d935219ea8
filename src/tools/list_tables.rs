//! `list_tables`: the tables of a schema, with their columns in short where that is asked for.

use databricks::{Arguments, Location, operations};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Composite, input, input_schema, rest};
use crate::context::Context;
use crate::cursor::Cursor;
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = Composite {
    schema: input_schema::<Input>,
    run: |context, arguments| Box::pin(async move { run(context, input(arguments)?).await }),
};

/// Tables per page of the API.
const PAGE: u64 = 100;
const KEPT: [&str; 6] = ["full_name", "table_type", "data_source_format", "comment", "owner", "browse_only"];

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Catalog name, from `list_catalogs`.
    catalog_name: String,
    /// Schema name without the catalog, from `list_schemas`.
    schema_name: String,
    /// Adds `name type, …` of each table.
    #[serde(default)]
    columns: bool,
    /// `next_page_token` of the last answer.
    page_token: Option<String>,
    /// Fields to return instead (dotted paths; `*` = all).
    #[serde(default)]
    fields: Vec<String>,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let cursor = match input.page_token.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => Cursor::decode(text).ok_or_else(Error::bad_page_token)?,
        None => Cursor::default(),
    };
    let position = match &cursor.page {
        Some(text) => Some(serde_json::from_str::<databricks::Cursor>(text).map_err(|_| Error::bad_page_token())?),
        None => None,
    };
    let wants = |name: &str| input.fields.iter().any(|field| field == "*" || field.split('.').next() == Some(name));
    let request = Arguments::new()
        .with(Location::Query, "catalog_name", input.catalog_name)
        .with(Location::Query, "schema_name", input.schema_name)
        .with(Location::Query, "max_results", PAGE)
        .with(Location::Query, "include_browse", true)
        .with(Location::Query, "omit_columns", !(input.columns || wants("columns")))
        .with(Location::Query, "omit_properties", !wants("properties"));
    let page = context.client.page(&operations::CATALOG_TABLES_LIST, request, position.as_ref()).await?;
    let next = page.next.map(|next| serde_json::to_string(&next).unwrap_or_default());
    let keep: Vec<&str> =
        if input.fields.is_empty() { KEPT.to_vec() } else { input.fields.iter().map(String::as_str).collect() };
    let left = page.items.len().saturating_sub(cursor.skip);
    let tables = page.items.iter().skip(cursor.skip).map(|table| {
        let mut shown = shape::keep(table, &keep);
        if input.columns {
            shape::put(&mut shown, "columns", columns(table));
        }
        shape::exact(&mut shown);
        shown
    });
    let shown = shape::page(tables, context.budget);
    let next = if shown.taken < left {
        Some(Cursor { skip: cursor.skip + shown.taken, ..cursor })
    } else {
        next.map(|page| Cursor { page: Some(page), ..Cursor::default() })
    };
    let mut answer = json!({ "items": shown.items, "returned": shown.taken, "truncated": next.is_some() });
    if let Some(next) = next {
        shape::put(&mut answer, "next_page_token", next.encode());
        shape::put(&mut answer, "hint", "there is more: pass `page_token`, or find a table with `search_tables`");
    }
    shape::notice(&mut answer, shown.cuts, "see that table with `get_table_schema`");
    Ok(answer)
}

/// The columns of a table in one line.
fn columns(table: &Value) -> String {
    let columns = rest::array(table, "columns").iter().map(|column| {
        let text = |name: &str| rest::text(column, name).unwrap_or_default();
        format!("{} {}", text("name"), text("type_text"))
    });
    columns.collect::<Vec<_>>().join(", ")
}
