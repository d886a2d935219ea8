//! From the OpenAPI document model to ours.

use anyhow::{Context, Result, anyhow, bail, ensure};
use openapiv3::{
    AdditionalProperties, MediaType, Operation as Source, Parameter as SourceParameter, ParameterSchemaOrContent,
    ReferenceOr, Responses, Schema as SourceSchema, SchemaData, SchemaKind, StatusCode, Type, VariantOrUnknownOrEmpty,
};
use serde_json::Value;

use super::{Api, Body, Location, Operation, Pagination, Parameter, Property, Response, Schema};

type Extensions = indexmap::IndexMap<String, Value>;

pub(super) fn operation(api: &Api, package: &str, path: &str, method: &str, source: &Source) -> Result<Operation> {
    let id = source.operation_id.clone().context("an operation has no `operationId`")?;
    ensure!(
        id.split('.').next() == Some(package) && id.split('.').count() == 3 && id.split('.').all(is_name),
        "`{id}` is not an operation id of the form `{package}.<service>.<method>`"
    );
    let path = path.split('#').next().unwrap_or_default().to_owned();
    let mut parameters = Vec::new();
    for parameter in &source.parameters {
        parameters.push(self::parameter(package, item(parameter)?)?);
    }
    let body = match &source.request_body {
        None => Body::None,
        Some(body) => {
            let (body, properties) = self::body(api, package, &item(body)?.content)?;
            parameters.extend(properties);
            body
        }
    };
    for parameter in parameters.iter().filter(|parameter| parameter.location == Location::Path) {
        ensure!(path.contains(&format!("{{{}}}", parameter.name)), "`{}` is not in the path", parameter.name);
    }
    Ok(Operation {
        method: method.to_uppercase(),
        body,
        response: response(package, &source.responses)?,
        pagination: source.extensions.get("x-databricks-pagination").map(pagination).transpose()?,
        workspace_routing: flag(&source.extensions, "x-databricks-workspace-routing"),
        accounts: flag(&source.extensions, "x-databricks-is-accounts"),
        deprecated: source.deprecated,
        id,
        path,
        parameters,
    })
}

pub(super) fn schema(package: &str, source: &ReferenceOr<SourceSchema>) -> Result<Schema> {
    let source = match source {
        ReferenceOr::Reference { reference } => return self::reference(package, reference),
        ReferenceOr::Item(schema) => schema,
    };
    Ok(match &source.schema_kind {
        SchemaKind::Any(any) => {
            ensure!(*any == openapiv3::AnySchema::default(), "a schema without `type` has keywords");
            Schema::Any
        }
        SchemaKind::Type(Type::Boolean(_)) => Schema::Boolean,
        SchemaKind::Type(Type::Number(_)) => Schema::Number,
        SchemaKind::Type(Type::Integer(integer)) => Schema::Integer {
            wide: !matches!(integer.format, VariantOrUnknownOrEmpty::Item(openapiv3::IntegerFormat::Int32)),
        },
        SchemaKind::Type(Type::String(string)) if !string.enumeration.is_empty() => {
            Schema::Enum(string.enumeration.iter().flatten().cloned().collect())
        }
        SchemaKind::Type(Type::String(string)) => Schema::String(match &string.format {
            VariantOrUnknownOrEmpty::Empty => None,
            VariantOrUnknownOrEmpty::Unknown(format) => Some(format.clone()),
            VariantOrUnknownOrEmpty::Item(format) => serde_json::to_value(format)?.as_str().map(str::to_owned),
        }),
        SchemaKind::Type(Type::Array(array)) => {
            let items = array.items.as_ref().context("an array has no `items`")?;
            Schema::Array(Box::new(schema(package, &items.clone().unbox())?))
        }
        SchemaKind::Type(Type::Object(object)) => match &object.additional_properties {
            Some(AdditionalProperties::Schema(values)) if object.properties.is_empty() => {
                Schema::Map(Box::new(schema(package, values)?))
            }
            Some(AdditionalProperties::Any(true)) if object.properties.is_empty() => Schema::Map(Box::new(Schema::Any)),
            _ => Schema::Object(
                object
                    .properties
                    .iter()
                    .map(|(name, property)| {
                        let data = match property {
                            ReferenceOr::Item(schema) => Some(&schema.schema_data),
                            ReferenceOr::Reference { .. } => None,
                        };
                        Ok(Property {
                            name: name.clone(),
                            required: object.required.contains(name),
                            auto_uuid: data.is_some_and(is_auto_uuid),
                            schema: schema(package, &property.clone().unbox())
                                .with_context(|| format!("in property `{name}`"))?,
                        })
                    })
                    .collect::<Result<_>>()?,
            ),
        },
        // The way of OpenAPI 3.0 to put extensions beside a reference.
        SchemaKind::AllOf { all_of } if all_of.len() == 1 => match all_of.first() {
            Some(only) => schema(package, only)?,
            None => Schema::Any,
        },
        _ => bail!("`oneOf`, `anyOf`, `not`, and `allOf` of several schemas are not understood"),
    })
}

fn reference(package: &str, reference: &str) -> Result<Schema> {
    let (document, name) = reference
        .split_once("#/components/schemas/")
        .with_context(|| format!("`{reference}` does not refer to a schema"))?;
    let package = if document.is_empty() { package } else { document.trim_end_matches(".json") };
    Ok(Schema::Reference(format!("{package}.{name}")))
}

fn parameter(package: &str, source: &SourceParameter) -> Result<Parameter> {
    let location = match source {
        SourceParameter::Path { .. } => Location::Path,
        SourceParameter::Query { .. } => Location::Query,
        SourceParameter::Header { .. } | SourceParameter::Cookie { .. } => {
            bail!("header and cookie parameters are not understood")
        }
    };
    let data = source.parameter_data_ref();
    let ParameterSchemaOrContent::Schema(schema) = &data.format else {
        bail!("parameter `{}` has `content` instead of a schema", data.name)
    };
    Ok(Parameter {
        name: data.name.clone(),
        location,
        required: data.required,
        schema: self::schema(package, schema).with_context(|| format!("in parameter `{}`", data.name))?,
        multi_segment: flag(&data.extensions, "x-databricks-multi-segment"),
        resource_name: data.extensions.get("x-databricks-resource-name").and_then(Value::as_str).map(str::to_owned),
        flatten: flag(&data.extensions, "x-databricks-flatten"),
        auto_uuid: data.extensions.get("x-databricks-auto").is_some(),
        from_config: data.extensions.get("x-databricks-config").is_some(),
        preset: data.extensions.get("x-databricks-preset").cloned(),
    })
}

fn body(api: &Api, package: &str, content: &indexmap::IndexMap<String, MediaType>) -> Result<(Body, Vec<Parameter>)> {
    let (media_type, media) = content.first().context("a request body has no content")?;
    if media_type != "application/json" {
        return Ok((Body::Binary, Vec::new()));
    }
    let schema = self::schema(package, media.schema.as_ref().context("a JSON body has no schema")?)?;
    let Schema::Object(properties) = api.resolve(&schema) else {
        return Ok((Body::Other(schema), Vec::new()));
    };
    let parameters = properties.iter().map(|property| Parameter {
        name: property.name.clone(),
        location: Location::Body,
        required: property.required,
        schema: property.schema.clone(),
        multi_segment: false,
        resource_name: None,
        flatten: false,
        auto_uuid: property.auto_uuid,
        from_config: false,
        preset: None,
    });
    Ok((Body::Object, parameters.collect()))
}

fn response(package: &str, responses: &Responses) -> Result<Response> {
    let success = responses
        .responses
        .iter()
        .find(|(code, _)| matches!(code, StatusCode::Range(2) | StatusCode::Code(200..=299)))
        .context("no success response")?;
    let Some((media_type, media)) = item(success.1)?.content.first() else { return Ok(Response::Empty) };
    Ok(match media_type.as_str() {
        "application/json" => Response::Json(match &media.schema {
            Some(schema) => self::schema(package, schema)?,
            None => Schema::Any,
        }),
        text if text.starts_with("text/") => Response::Text(text.to_owned()),
        other => Response::Binary(other.to_owned()),
    })
}

fn pagination(value: &Value) -> Result<Pagination> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    Ok(Pagination {
        style: text("style").context("`x-databricks-pagination` has no `style`")?,
        in_body: text("in").is_some_and(|place| place == "body"),
        items: text("items"),
        request: text("request"),
        response: text("response"),
        start: value.get("start").and_then(Value::as_u64).unwrap_or_default(),
        count: text("count"),
    })
}

fn item<T>(value: &ReferenceOr<T>) -> Result<&T> {
    value.as_item().ok_or_else(|| anyhow!("a reference stands where it is not understood"))
}

fn flag(extensions: &Extensions, name: &str) -> bool {
    extensions.get(name).and_then(Value::as_bool).unwrap_or_default()
}

fn is_auto_uuid(data: &SchemaData) -> bool {
    data.extensions.get("x-databricks-auto").is_some()
}

fn is_name(part: &str) -> bool {
    part.starts_with(|first: char| first.is_ascii_lowercase())
        && part.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
}
