//! Puts together what methods, waiters, handles and data classes say into operations.

use std::collections::BTreeMap;

use heck::ToUpperCamelCase as _;

use super::import::Release;
use super::method::{Method, Outcome};
use super::model::{
    Api, Body, Field, Location, LongRunning, Operation, Pagination, Parameter, Response, Schema, SchemaId, Style, Type,
};
use super::python::{Found, Problem};
use super::service::{Service, service_name};
use super::{repairs, resource_names, waits};

/// Makes the operations; what does not fit together is a problem.
pub(crate) fn link(release: &Release, problems: &mut Vec<Problem>) -> Api {
    let mut operations = BTreeMap::new();
    for service in &release.services {
        for (name, method) in &service.methods {
            match operation(release, service, name, method) {
                Ok(operation) => drop(operations.insert(operation.id.clone(), operation)),
                Err(problem) => problems.push(problem),
            }
        }
    }
    resource_names::spread(&mut operations);
    Api { operations, schemas: release.schemas.clone() }
}

/// The id of an operation. Python appends `_` to a method named like one of its keywords (`import_`); the API does not.
pub(crate) fn operation_id(package: &str, class: &str, method: &str) -> String {
    format!("{package}.{}.{}", service_name(class), method.trim_end_matches('_'))
}

fn operation(release: &Release, service: &Service, name: &str, method: &Method) -> Found<Operation> {
    let mut operation = Operation {
        id: operation_id(&service.package, &service.class, name),
        package: service.package.clone(),
        service: service_name(&service.class),
        verb: method.call.verb.clone(),
        path: method.call.path.clone(),
        parameters: parameters(method),
        body: body(method)?,
        response: Response::Empty,
        response_headers: Vec::new(),
        pagination: pagination(release, method)?,
        wait: waits::wait(release, service, method)?,
        long_running: long_running(release, service, method)?,
        workspace_routing: method.routing,
        deprecated: method.deprecated,
    };
    (operation.response, operation.response_headers) = response(release, service, name, method)?;
    repairs::apply(release, &mut operation);
    let object_in_path = |parameter: &&Parameter| {
        parameter.location == Location::Path && matches!(parameter.field.kind, Type::Object(_) | Type::Array(_))
    };
    if let Some(parameter) = operation.parameters.iter().find(object_in_path) {
        return Err(method.site.problem(format!("the path parameter `{}` to be a plain value", parameter.field.wire)));
    }
    Ok(operation)
}

fn parameters(method: &Method) -> Vec<Parameter> {
    let account = method.call.account.then(|| {
        let name = "account_id".to_owned();
        let field = Field { python: name.clone(), wire: name, kind: Type::String, required: true, auto: false };
        Parameter { from_config: true, ..parameter(Location::Path, field) }
    });
    let mut parameters: Vec<Parameter> = account.into_iter().collect();
    for argument in &method.arguments {
        let name = &argument.name;
        if let Some(used) = method.call.path_arguments.iter().find(|used| used.name == *name) {
            let field = Field {
                python: name.clone(),
                wire: name.clone(),
                kind: argument.kind.clone(),
                required: true,
                auto: false,
            };
            let resource_name = method.resource_names.get(name).cloned();
            let multi_segment = used.multi_segment || resource_name.is_some();
            parameters.push(Parameter { multi_segment, resource_name, ..parameter(Location::Path, field) });
        }
        for field in method.query.iter().filter(|field| field.python == *name) {
            let preset = method.presets.get(&field.wire).copied();
            let flatten = matches!(field.kind, Type::Object(_));
            parameters.push(Parameter { preset, flatten, ..parameter(Location::Query, field.clone()) });
        }
    }
    parameters
}

fn parameter(location: Location, field: Field) -> Parameter {
    Parameter {
        location,
        field,
        multi_segment: false,
        resource_name: None,
        flatten: false,
        preset: None,
        from_config: false,
    }
}

fn body(method: &Method) -> Found<Body> {
    let whole = |name: &Option<String>| {
        let argument = method.arguments.iter().find(|argument| Some(&argument.name) == name.as_ref())?;
        Some(Field {
            python: argument.name.clone(),
            wire: argument.name.clone(),
            kind: argument.kind.clone(),
            required: argument.required,
            auto: false,
        })
    };
    let content_type = method.headers.get("Content-Type").map(String::as_str);
    let call = &method.call;
    match (whole(&call.whole_body), whole(&call.binary), call.body, content_type) {
        (Some(field), None, true, Some("application/json")) => Ok(Body::Whole(field)),
        (None, Some(field), false, Some("application/octet-stream")) => Ok(Body::Binary(field)),
        (None, None, true, Some("application/json")) => Ok(Body::Fields(method.body.clone().unwrap_or_default())),
        // One method announces JSON and sends none.
        (None, None, false, None | Some("application/json")) => Ok(Body::None),
        _ => Err(method.site.problem("a body that goes with its `Content-Type`")),
    }
}

fn pagination(release: &Release, method: &Method) -> Found<Option<Pagination>> {
    let none = Pagination {
        style: Style::None,
        items: String::new(),
        in_body: false,
        request: None,
        response: None,
        start: None,
        count: None,
        dedupe: None,
    };
    match &method.outcome {
        Outcome::Elements { class, field } => match field_by_python(release, class, field) {
            Some(field) => Ok(Some(Pagination { items: field.wire.clone(), ..none })),
            None => Err(method.site.problem(format!("`{}` to have `{field}`", class.name))),
        },
        Outcome::Pages { style, items, in_body, request, response, start, dedupe, .. } => {
            let has_count = method.query.iter().any(|field| field.wire == "count");
            Ok(Some(Pagination {
                style: *style,
                items: items.clone(),
                in_body: *in_body,
                request: request.clone(),
                response: response.clone(),
                start: *start,
                count: (*style == Style::Scim && has_count).then(|| "count".to_owned()),
                dedupe: dedupe.clone(),
            }))
        }
        _ => Ok(None),
    }
}

fn long_running(release: &Release, service: &Service, method: &Method) -> Found<Option<LongRunning>> {
    let Some(name) = &method.long_running else { return Ok(None) };
    let id = SchemaId { package: service.package.clone(), name: name.clone() };
    let Some(handle) = release.handles.get(&id) else {
        return Err(method.site.problem(format!("a class `{name}`")));
    };
    let polled =
        release.services.iter().find(|polled| polled.package == service.package && polled.class == handle.service);
    if polled.is_none_or(|polled| !polled.methods.contains_key(&handle.method)) {
        return Err(method.site.problem(format!("a method `{}.{}`", handle.service, handle.method)));
    }
    Ok(Some(LongRunning {
        operation: operation_id(&service.package, &handle.service, &handle.method),
        response: handle.response.clone(),
        metadata: handle.metadata.clone(),
    }))
}

type Headers = Vec<(String, Type)>;

fn response(release: &Release, service: &Service, name: &str, method: &Method) -> Found<(Response, Headers)> {
    let accept = method.headers.get("Accept").map(String::as_str);
    if method.call.response_headers == method.response_headers.is_empty() {
        return Err(method.site.problem("the response headers to be passed"));
    }
    let response = match &method.outcome {
        Outcome::Nothing if !method.call.raw && method.response_headers.is_empty() => {
            return Ok((Response::Empty, Vec::new()));
        }
        Outcome::Nothing => return Err(method.site.problem("a response of which something is used")),
        Outcome::Json(Type::Object(class)) if method.call.raw || !method.response_headers.is_empty() => {
            return with_headers(release, class, method, accept);
        }
        Outcome::Json(kind) => Response::Json(kind.clone()),
        Outcome::Elements { class, .. } => Response::Json(Type::Object(class.clone())),
        Outcome::Pages { items, item, response, .. } => page(release, service, name, items, item, response.as_ref()),
    };
    if accept != Some("application/json") || method.call.raw || !method.response_headers.is_empty() {
        return Err(method.site.problem("a JSON response that is asked for as JSON"));
    }
    Ok((response, Vec::new()))
}

/// A response of which the SDK reads headers, or the bytes.
fn with_headers(
    release: &Release,
    class: &SchemaId,
    method: &Method,
    accept: Option<&str>,
) -> Found<(Response, Headers)> {
    let fields = object(release, class);
    let header = |wire: &String| {
        let field = fields.iter().find(|field| field.wire == *wire);
        let field = field.ok_or_else(|| method.site.problem(format!("`{}` to have `{wire}`", class.name)))?;
        Ok((wire.clone(), field.kind.clone()))
    };
    let headers = method.response_headers.iter().map(header).collect::<Found<Headers>>()?;
    let has_contents = fields.iter().any(|field| field.wire == "contents" && field.kind == Type::Binary);
    let response = match (method.call.verb.as_str(), method.call.raw, accept) {
        ("HEAD", false, None) => Response::Empty,
        (_, false, Some("application/json")) => Response::Json(Type::Object(class.clone())),
        (_, true, Some(media_type)) if has_contents => {
            let kind = if media_type.starts_with("text/") { Type::String } else { Type::Binary };
            Response::Raw { media_type: media_type.to_owned(), kind }
        }
        _ => return Err(method.site.problem("a response that goes with `Accept` and `raw`")),
    };
    Ok((response, headers))
}

/// The class of a page. The SDK's loop does not name it: it is the only object of the package that has the items and
/// the cursor, or else the one named after the method; if that is not one either, just what the loop reads is known.
fn page(
    release: &Release,
    service: &Service,
    name: &str,
    items: &str,
    item: &SchemaId,
    next: Option<&String>,
) -> Response {
    let expected = Type::Array(Box::new(Type::Object(item.clone())));
    let mut candidates = release.schemas.iter().filter_map(|(id, schema)| match schema {
        Schema::Object(fields) if id.package == service.package => {
            let has_items = fields.iter().any(|field| field.wire == items && field.kind == expected);
            let has_next = next.is_none_or(|next| fields.iter().any(|field| field.wire == *next));
            (has_items && has_next).then_some(id)
        }
        _ => None,
    });
    let named = format!("{}Response", name.to_upper_camel_case());
    let (first, second) = (candidates.next(), candidates.next());
    let found = match (first, second) {
        (Some(only), None) => Some(only),
        _ => [first, second].into_iter().flatten().chain(candidates).find(|id| id.name == named),
    };
    match found {
        Some(id) => Response::Json(Type::Object(id.clone())),
        None => Response::Page { items: items.to_owned(), item: Type::Object(item.clone()), next: next.cloned() },
    }
}

/// The fields of an object; none if it is not one.
pub(crate) fn object<'a>(release: &'a Release, id: &SchemaId) -> &'a [Field] {
    match release.schemas.get(id) {
        Some(Schema::Object(fields)) => fields,
        _ => &[],
    }
}

/// The field of an object by its name in Python.
pub(crate) fn field_by_python<'a>(release: &'a Release, id: &SchemaId, python: &str) -> Option<&'a Field> {
    object(release, id).iter().find(|field| field.python == python)
}
