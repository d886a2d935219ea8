//! `list_tables`: the tables of a schema, on request with a summary of their columns.

use databricks::requests::catalog::tables;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::context::Context;
use crate::cursor::Cursor;
use crate::definition::Composite;
use crate::domain::listing::gather;
use crate::domain::request;
use crate::error::Error;
use crate::shape::{self, Fields};

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

/// Tables per page of the API.
const PAGE: i64 = 100;
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
    /// Other fields: dotted paths, or `*`.
    #[serde(default)]
    fields: Vec<String>,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let cursor = match input.page_token.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => Cursor::decode(text).ok_or_else(Error::bad_page_token)?,
        None => Cursor::default(),
    };
    let mut fields = Fields::new(&KEPT, input.fields)?;
    let request = tables::List::new(input.catalog_name, input.schema_name)
        .max_results(PAGE)
        .include_browse(true)
        .omit_columns(!(input.columns || fields.names("columns")))
        .omit_properties(!fields.names("properties"));
    let read = |page: Option<String>| {
        let (context, request) = (context.clone(), request.clone());
        async move {
            let position = page.map(|text| serde_json::from_str::<databricks::Cursor>(&text)).transpose();
            let position = position.map_err(|_| Error::bad_page_token())?;
            let page = request::page(&context, request, position.as_ref()).await?;
            let next = page.next.map(|next| serde_json::to_string(&next).unwrap_or_default());
            Ok((page.items, next))
        }
    };
    let show = |table: Value| {
        let columns = input.columns.then(|| columns(&table));
        let mut shown = fields.of(table);
        if let Some(columns) = columns {
            shape::put(&mut shown, "columns", columns);
        }
        Some(shown)
    };
    let gathered = gather(context.budget, cursor, None, read, show).await?;
    Ok(gathered.answer(fields.unknown(), "find a table with `search_tables`", "see that table with `get_table_schema`"))
}

/// The columns of a table in one line.
fn columns(table: &Value) -> String {
    let columns = request::array(table, "columns").iter().map(|column| {
        let text = |name: &str| request::text(column, name).unwrap_or_default();
        format!("{} {}", text("name"), text("type_text"))
    });
    columns.collect::<Vec<_>>().join(", ")
}
