//! OpenAPI 3.0.3 documents, one per service package. Maps are sorted, parameters keep the SDK's order.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::model::{Api, Body, Field, Location, Operation, Parameter, Response, Schema, SchemaId, Style, Type, Width};
use super::resource_names::erase_names;

/// The documents by package.
pub(crate) fn documents(api: &Api) -> BTreeMap<String, Value> {
    let reachable = reachable(api);
    let packages: BTreeSet<&str> = api.operations.values().map(|operation| operation.package.as_str()).collect();
    let document = |package: &str| {
        let mut schemas = Map::new();
        for id in reachable.iter().filter(|id| id.package == package) {
            if let Some(found) = api.schemas.get(id) {
                schemas.insert(id.name.clone(), named_schema(package, found));
            }
        }
        json!({
            "openapi": "3.0.3",
            "info": { "title": format!("Databricks {package}"), "version": "1" },
            "paths": paths(api, package),
            "components": { "schemas": schemas },
        })
    };
    let with_schemas = reachable.iter().map(|id| id.package.as_str());
    let all: BTreeSet<&str> = packages.iter().copied().chain(with_schemas).collect();
    all.into_iter().map(|package| (package.to_owned(), document(package))).collect()
}

/// The schemas that operations reach.
pub(crate) fn reachable(api: &Api) -> BTreeSet<SchemaId> {
    let mut reached = BTreeSet::new();
    let mut ahead: Vec<SchemaId> = Vec::new();
    for operation in api.operations.values() {
        let mut kinds: Vec<&Type> = operation.parameters.iter().map(|parameter| &parameter.field.kind).collect();
        match &operation.body {
            Body::None => {}
            Body::Fields(fields) => kinds.extend(fields.iter().map(|field| &field.kind)),
            Body::Whole(field) | Body::Binary(field) => kinds.push(&field.kind),
        }
        match &operation.response {
            Response::Empty => {}
            Response::Json(kind) | Response::Raw { kind, .. } | Response::Page { item: kind, .. } => kinds.push(kind),
        }
        kinds.extend(operation.response_headers.iter().map(|(_, kind)| kind));
        ahead.extend(kinds.into_iter().filter_map(named));
        let long_running = operation.long_running.iter();
        ahead.extend(long_running.flat_map(|found| found.response.iter().chain(&found.metadata)).cloned());
    }
    while let Some(id) = ahead.pop() {
        if let Some(Schema::Object(fields)) = api.schemas.get(&id) {
            let further = fields.iter().filter_map(|field| named(&field.kind));
            ahead.extend(further.filter(|further| *further != id && !reached.contains(further)));
        }
        reached.insert(id);
    }
    reached
}

fn named(kind: &Type) -> Option<SchemaId> {
    match kind {
        Type::Array(item) | Type::Map(item) => named(item),
        Type::Object(id) | Type::Enum(id) => Some(id.clone()),
        _ => None,
    }
}

/// The keys of the operations' paths: operations of a document that share verb and template, names of parameters
/// erased, are told apart by a fragment, which is never sent. The first by id keeps the plain path.
pub(crate) fn path_keys<'a>(operations: impl Iterator<Item = &'a Operation>) -> BTreeMap<&'a str, String> {
    let mut taken = BTreeSet::new();
    let mut keys = BTreeMap::new();
    for operation in operations {
        let first = taken.insert((operation.verb.as_str(), erase_names(&operation.path)));
        let key = if first { operation.path.clone() } else { format!("{}#{}", operation.path, operation.id) };
        keys.insert(operation.id.as_str(), key);
    }
    keys
}

fn paths(api: &Api, package: &str) -> Value {
    let operations = || api.operations.values().filter(|operation| operation.package == package);
    let keys = path_keys(operations());
    let mut paths: BTreeMap<&str, BTreeMap<String, Value>> = BTreeMap::new();
    for operation in operations() {
        let key = keys.get(operation.id.as_str()).map_or(operation.path.as_str(), String::as_str);
        paths.entry(key).or_default().insert(operation.verb.to_lowercase(), operation_object(operation));
    }
    json!(paths)
}

fn operation_object(operation: &Operation) -> Value {
    let package = &operation.package;
    let mut object = Map::new();
    object.insert("operationId".to_owned(), json!(operation.id));
    object.insert("tags".to_owned(), json!([operation.service]));
    if operation.deprecated {
        object.insert("deprecated".to_owned(), json!(true));
    }
    if !operation.parameters.is_empty() {
        let parameters = operation.parameters.iter().map(|parameter| parameter_object(package, parameter));
        object.insert("parameters".to_owned(), parameters.collect());
    }
    if let Some(body) = request_body(package, &operation.body) {
        object.insert("requestBody".to_owned(), body);
    }
    object.insert("responses".to_owned(), json!({ "2XX": response(operation) }));
    if operation.is_accounts() {
        object.insert("x-databricks-is-accounts".to_owned(), json!(true));
    }
    if operation.workspace_routing {
        object.insert("x-databricks-workspace-routing".to_owned(), json!(true));
    }
    object.extend(behavior(operation));
    Value::Object(object)
}

/// Pagination, waiting and long-running operations.
fn behavior(operation: &Operation) -> Map<String, Value> {
    let mut object = Map::new();
    if let Some(pagination) = &operation.pagination {
        let mut value = Map::new();
        value.insert("style".to_owned(), json!(pagination.style.name()));
        value.insert("items".to_owned(), json!(pagination.items));
        if pagination.style != Style::None {
            value.insert("in".to_owned(), json!(if pagination.in_body { "body" } else { "query" }));
        }
        let texts = [
            ("request", &pagination.request),
            ("response", &pagination.response),
            ("count", &pagination.count),
            ("dedupe", &pagination.dedupe),
        ];
        for (name, text) in texts {
            value.extend(text.as_ref().map(|text| (name.to_owned(), json!(text))));
        }
        value.extend(pagination.start.map(|start| ("start".to_owned(), json!(start))));
        object.insert("x-databricks-pagination".to_owned(), Value::Object(value));
    }
    if let Some(wait) = &operation.wait {
        let mut value = Map::new();
        value.insert("operation".to_owned(), json!(wait.operation));
        value.insert("parameters".to_owned(), json!(wait.parameters));
        value.insert("state".to_owned(), json!(wait.state));
        value.insert("success".to_owned(), json!(wait.success));
        value.insert("failure".to_owned(), json!(wait.failure));
        if !wait.message.is_empty() {
            value.insert("message".to_owned(), json!(wait.message));
        }
        value.insert("timeout_seconds".to_owned(), json!(wait.timeout_seconds));
        object.insert("x-databricks-wait".to_owned(), Value::Object(value));
    }
    if let Some(long_running) = &operation.long_running {
        let mut value = Map::new();
        value.insert("operation".to_owned(), json!(long_running.operation));
        value.extend(long_running.response.as_ref().map(|id| ("response".to_owned(), json!(id.name))));
        value.extend(long_running.metadata.as_ref().map(|id| ("metadata".to_owned(), json!(id.name))));
        object.insert("x-databricks-lro".to_owned(), Value::Object(value));
    }
    object
}

fn parameter_object(package: &str, parameter: &Parameter) -> Value {
    let Parameter { location, field, multi_segment, resource_name, flatten, preset, from_config } = parameter;
    let mut object = Map::new();
    object.insert("name".to_owned(), json!(field.wire));
    object.insert("in".to_owned(), json!(if *location == Location::Path { "path" } else { "query" }));
    object.insert("required".to_owned(), json!(field.required));
    if matches!(field.kind, Type::Array(_)) {
        object.insert("style".to_owned(), json!("form"));
        object.insert("explode".to_owned(), json!(true));
    }
    object.insert("schema".to_owned(), schema(package, &field.kind));
    let flags = [("x-databricks-multi-segment", *multi_segment), ("x-databricks-flatten", *flatten)];
    object.extend(flags.iter().filter(|(_, set)| *set).map(|(name, _)| ((*name).to_owned(), json!(true))));
    if let Some(pattern) = resource_name {
        object.insert("x-databricks-resource-name".to_owned(), json!(pattern));
    }
    if *from_config {
        object.insert("x-databricks-config".to_owned(), json!(field.wire));
    }
    if let Some(preset) = preset {
        object.insert("x-databricks-preset".to_owned(), json!(preset));
    }
    object.extend(field_extensions(field));
    Value::Object(object)
}

fn field_extensions(field: &Field) -> impl Iterator<Item = (String, Value)> + use<> {
    let auto = field.auto.then(|| ("x-databricks-auto".to_owned(), json!("uuid")));
    let python = (field.python != field.wire).then(|| ("x-databricks-python-name".to_owned(), json!(field.python)));
    auto.into_iter().chain(python)
}

fn request_body(package: &str, body: &Body) -> Option<Value> {
    let (media_type, found, argument) = match body {
        Body::None => return None,
        Body::Fields(fields) => ("application/json", object_schema(package, fields), None),
        Body::Whole(field) => ("application/json", schema(package, &field.kind), Some(&field.python)),
        Body::Binary(field) => ("application/octet-stream", schema(package, &field.kind), Some(&field.python)),
    };
    let mut object = Map::new();
    object.insert("required".to_owned(), json!(true));
    object.insert("content".to_owned(), json!({ media_type: { "schema": found } }));
    object.extend(argument.map(|argument| ("x-databricks-python-name".to_owned(), json!(argument))));
    Some(Value::Object(object))
}

fn response(operation: &Operation) -> Value {
    let package = &operation.package;
    let mut object = Map::new();
    object.insert("description".to_owned(), json!("Success"));
    if !operation.response_headers.is_empty() {
        let header = |(name, kind): &(String, Type)| (name.clone(), json!({ "schema": schema(package, kind) }));
        let headers: BTreeMap<String, Value> = operation.response_headers.iter().map(header).collect();
        object.insert("headers".to_owned(), json!(headers));
    }
    let content = match &operation.response {
        Response::Empty => None,
        Response::Json(kind) => Some(("application/json", schema(package, kind))),
        Response::Raw { media_type, kind } => Some((media_type.as_str(), schema(package, kind))),
        Response::Page { items, item, next } => {
            let mut properties = BTreeMap::new();
            properties.insert(items, schema(package, &Type::Array(Box::new(item.clone()))));
            properties.extend(next.as_ref().map(|next| (next, schema(package, &Type::String))));
            Some(("application/json", json!({ "type": "object", "properties": properties })))
        }
    };
    if let Some((media_type, found)) = content {
        object.insert("content".to_owned(), json!({ media_type: { "schema": found } }));
    }
    Value::Object(object)
}

fn named_schema(package: &str, found: &Schema) -> Value {
    match found {
        Schema::Object(fields) => object_schema(package, fields),
        Schema::Enum(values) => {
            let values: Vec<&String> = values.iter().map(|(_, value)| value).collect();
            json!({ "type": "string", "enum": values })
        }
    }
}

fn object_schema(package: &str, fields: &[Field]) -> Value {
    let mut properties = BTreeMap::new();
    for field in fields {
        properties.insert(field.wire.as_str(), property(package, field));
    }
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.wire.as_str()).collect();
    let mut object = Map::new();
    object.insert("type".to_owned(), json!("object"));
    object.insert("properties".to_owned(), json!(properties));
    if !required.is_empty() {
        object.insert("required".to_owned(), json!(required));
    }
    Value::Object(object)
}

/// A property. Nothing may stand next to a reference in OpenAPI 3.0: its name in Python is left out there.
fn property(package: &str, field: &Field) -> Value {
    let mut property = schema(package, &field.kind);
    if let Some(object) = property.as_object_mut().filter(|object| !object.contains_key("$ref")) {
        object.extend(field_extensions(field));
    }
    property
}

fn schema(package: &str, kind: &Type) -> Value {
    match kind {
        Type::String => json!({ "type": "string" }),
        Type::Boolean => json!({ "type": "boolean" }),
        Type::Integer(Width::Unknown) => json!({ "type": "integer" }),
        Type::Integer(Width::Int32) => json!({ "type": "integer", "format": "int32" }),
        Type::Integer(Width::Int64) => json!({ "type": "integer", "format": "int64" }),
        Type::Number => json!({ "type": "number", "format": "double" }),
        Type::Any => json!({}),
        Type::Binary => json!({ "type": "string", "format": "binary" }),
        Type::Timestamp => json!({ "type": "string", "format": "date-time" }),
        Type::Duration => json!({ "type": "string", "format": "duration" }),
        Type::FieldMask => json!({ "type": "string", "format": "field-mask" }),
        Type::Array(item) => json!({ "type": "array", "items": schema(package, item) }),
        Type::Map(value) => json!({ "type": "object", "additionalProperties": schema(package, value) }),
        Type::Object(id) | Type::Enum(id) => {
            let document = if id.package == package { String::new() } else { format!("{}.json", id.package) };
            json!({ "$ref": format!("{document}#/components/schemas/{}", id.name) })
        }
    }
}
