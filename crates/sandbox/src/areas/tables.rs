//! Tables and views as Unity Catalog shows them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::securable::{answer, in_schema, missing, name, node, plain};
use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Pending, Route, route, waiting};
use crate::sql::{Column, INFORMATION_SCHEMA, Type, relations};
use crate::workspace::catalog::{Catalog, Name, Table};
use crate::workspace::{Workspace, lock};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.1/unity-catalog/tables", list),
    waiting("POST", "/api/2.1/unity-catalog/tables", create),
    route("GET", "/api/2.1/unity-catalog/tables/{full_name}", get),
    route("PATCH", "/api/2.1/unity-catalog/tables/{full_name}", update),
    route("DELETE", "/api/2.1/unity-catalog/tables/{full_name}", delete),
    route("GET", "/api/2.1/unity-catalog/tables/{full_name}/exists", exists),
    route("GET", "/api/2.1/unity-catalog/table-summaries", summaries),
];

fn column_json(column: &Column, position: usize) -> Value {
    let type_json =
        json!({"name": column.name, "type": column.kind.json(), "nullable": column.nullable, "metadata": {}});
    let (precision, scale) = match column.kind {
        Type::Decimal(precision, scale) => (precision, scale),
        _ => (0, 0),
    };
    let mut json = json!({
        "name": column.name, "type_text": column.kind.catalog_text(), "type_name": column.kind.name(), "position": position,
        "type_json": type_json.to_string(), "type_precision": precision, "type_scale": scale, "nullable": column.nullable,
    });
    if let Some(comment) = &column.comment {
        json.set("comment", json!(comment));
    }
    json
}

fn table_json(table: &Table, columns: bool, properties: bool) -> Value {
    let mut fields = in_schema(&table.name, &table.node);
    fields.insert("table_type".to_owned(), json!(table.kind));
    fields.insert("table_id".to_owned(), json!(table.node.id));
    match &table.view_definition {
        Some(view) => {
            fields.insert("view_definition".to_owned(), json!(view));
        }
        // The relations of `information_schema` lie nowhere.
        None if table.kind == "VIEW" => {}
        None => {
            fields.entry("data_source_format").or_insert_with(|| json!("DELTA"));
            let place = || json!(format!("s3://sandbox-metastore/tables/{}", table.node.id));
            fields.entry("storage_location").or_insert_with(place);
        }
    }
    if columns {
        let columns: Vec<_> =
            table.columns.iter().enumerate().map(|(position, column)| column_json(column, position)).collect();
        fields.insert("columns".to_owned(), json!(columns));
    }
    if !properties {
        fields.remove("properties");
    }
    Value::Object(fields)
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let c = request.required_query("catalog_name")?.to_lowercase();
    let s = request.required_query("schema_name")?.to_lowercase();
    let columns = !request.query_flag("omit_columns")?;
    let properties = !request.query_flag("omit_properties")?;
    let catalog = lock(&workspace.catalog);
    if !catalog.catalogs.contains_key(&c) {
        return Err(missing("Catalog", &c));
    }
    if !catalog.has_schema(&c, &s) {
        return Err(missing("Schema", &format!("{c}.{s}")));
    }
    let information = if s == INFORMATION_SCHEMA { relations(&catalog, &c) } else { Vec::new() };
    let tables = catalog.tables_of(&c, &s).chain(&information);
    answer("tables", tables.map(|table| table_json(table, columns, properties)).collect(), request)
}

/// A table of the catalog, or a relation of its `information_schema`.
fn find(catalog: &Catalog, name: &Name) -> Option<Table> {
    match name {
        [c, s, _] if s == INFORMATION_SCHEMA => {
            relations(catalog, c).into_iter().find(|relation| relation.name == *name)
        }
        name => catalog.table(name).cloned(),
    }
}

/// The column that a body describes.
fn column(given: &Value) -> Result<Column, ApiError> {
    let name = given.text_at("name");
    let text = match given.text_at("type_text") {
        "" => given.text_at("type_name"),
        text => text,
    };
    let kind = Type::parse(text)
        .ok_or_else(|| ApiError::invalid_parameter(format!("Column '{name}' has no valid type: '{text}'")))?;
    if name.is_empty() {
        return Err(ApiError::missing_field("columns.name"));
    }
    let comment = given.at("comment").as_str().map(str::to_owned);
    Ok(Column { comment, nullable: *given.at("nullable") != json!(false), ..Column::new(name, kind) })
}

/// Registers an external table. What is in its storage is not the sandbox's to know, so it has no rows.
fn create(workspace: Arc<Workspace>, request: Request) -> Pending {
    Box::pin(async move {
        let fields = request.fields()?;
        if fields.required_text("table_type")? != "EXTERNAL" {
            return Err(ApiError::invalid_parameter("Only tables of the type EXTERNAL can be created with this API"));
        }
        if fields.required_text("data_source_format")? != "DELTA" {
            return Err(ApiError::invalid_parameter("Only tables of the format DELTA can be created with this API"));
        }
        let part = |field| plain(fields.required_text(field)?);
        let name = [part("catalog_name")?, part("schema_name")?, part("name")?];
        let columns = fields.array("columns")?.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        if columns.is_empty() {
            return Err(ApiError::invalid_parameter(
                "The sandbox cannot read the columns from storage: columns are required",
            ));
        }
        let mut node = node(&workspace, &fields)?;
        for field in ["data_source_format", "storage_location"] {
            node.extra.insert(field.to_owned(), json!(fields.required_text(field)?));
        }
        {
            let catalog = lock(&workspace.catalog);
            let [c, s, _] = &name;
            if !catalog.has_schema(c, s) {
                return Err(missing("Schema", &format!("{c}.{s}")));
            }
            if catalog.table(&name).is_some() {
                return Err(super::securable::exists("Table", &name.join(".")));
            }
        }
        let table = Table { name: name.clone(), node, kind: "EXTERNAL", columns, view_definition: None };
        let (worker, made) = (Arc::clone(&workspace), table.clone());
        // A statement at work has the engine for itself; waiting for it must not hold up other requests.
        let load = move || worker.engine.load(&made.full_name(), &made.columns, std::iter::empty());
        let loaded = tokio::task::spawn_blocking(load).await;
        if !matches!(loaded, Ok(Ok(()))) {
            return Err(ApiError::new(500, "INTERNAL_ERROR", "The table could not be made"));
        }
        let reply = table_json(&table, true, true);
        lock(&workspace.catalog).tables.insert(name, table);
        Ok(Reply::json(reply))
    })
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    let name = name(request.parameter("full_name"))?;
    let catalog = lock(&workspace.catalog);
    find(&catalog, &name)
        .map(|table| Reply::json(table_json(&table, true, true)))
        .ok_or_else(|| missing("Table", &name.join(".")))
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let name = name(request.parameter("full_name"))?;
    let owner = request.fields()?.required_text("owner")?.to_owned();
    let mut catalog = lock(&workspace.catalog);
    let table = catalog.tables.get_mut(&name).ok_or_else(|| missing("Table", &name.join(".")))?;
    table.node.owner = owner;
    table.node.updated_at = workspace.clock.now();
    Ok(Reply::nothing())
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let name = name(request.parameter("full_name"))?;
    lock(&workspace.catalog)
        .drop_table(&name)
        .map(|_| Reply::nothing())
        .ok_or_else(|| missing("Table", &name.join(".")))
}

fn exists(workspace: &Workspace, request: &Request) -> Outcome {
    let name = name(request.parameter("full_name"))?;
    let catalog = lock(&workspace.catalog);
    let [c, s, _] = &name;
    if !catalog.has_schema(c, s) {
        return Err(missing("Schema", &format!("{c}.{s}")));
    }
    Ok(Reply::json(json!({"table_exists": find(&catalog, &name).is_some()})))
}

fn summaries(workspace: &Workspace, request: &Request) -> Outcome {
    let c = request.required_query("catalog_name")?.to_lowercase();
    let pattern = |name: &str| -> Result<regex::Regex, ApiError> {
        let source = request.query(name).filter(|pattern| !pattern.is_empty()).unwrap_or("%");
        let source = regex::escape(&source.to_lowercase()).replace('%', ".*").replace('_', ".");
        regex::Regex::new(&format!("^{source}$")).map_err(|_| ApiError::invalid_parameter(format!("Invalid {name}")))
    };
    let (schemas, tables) = (pattern("schema_name_pattern")?, pattern("table_name_pattern")?);
    let size = page::size(request.query_integer("max_results")?, 10_000, 10_000)?;
    let catalog = lock(&workspace.catalog);
    if !catalog.catalogs.contains_key(&c) {
        return Err(missing("Catalog", &c));
    }
    let items: Vec<_> = catalog
        .tables
        .values()
        .filter(|table| {
            let [table_catalog, schema, name] = &table.name;
            *table_catalog == c && schemas.is_match(schema) && tables.is_match(name)
        })
        .map(|table| json!({"full_name": table.full_name(), "table_type": table.kind}))
        .collect();
    page::told("tables", items, size, request.query("page_token"))
}
