//! `x-databricks-wait`: a waiter in terms of the wire, for the operation that returns it.

use super::import::Release;
use super::link::{field_by_python, object, operation_id};
use super::method::{Bound, Method, Outcome};
use super::model::{Schema, SchemaId, Type, Wait};
use super::python::{Found, Problem};
use super::service::Service;
use super::waiter::Waiter;

/// What to wait for after calling `method`.
pub(crate) fn wait(release: &Release, service: &Service, method: &Method) -> Found<Option<Wait>> {
    let Some(waiting) = &method.wait else { return Ok(None) };
    let Some(waiter) = service.waiters.get(&waiting.waiter) else {
        return Err(method.site.problem(format!("a waiter `{}`", waiting.waiter)));
    };
    let Some(polled) = service.methods.get(&waiter.method) else {
        return Err(waiter.site.problem(format!("an operation `{}`", waiter.method)));
    };
    let Outcome::Json(Type::Object(class)) = &polled.outcome else {
        return Err(waiter.site.problem(format!("`{}` to return an object", waiter.method)));
    };
    let (state, kind) = path(release, waiter, class, &waiter.state)?;
    let message = match waiter.message.is_empty() {
        true => Vec::new(),
        false => path(release, waiter, class, &waiter.message)?.0,
    };
    let Some(Schema::Enum(members)) = kind.and_then(|kind| match kind {
        Type::Enum(id) => release.schemas.get(&id),
        _ => None,
    }) else {
        return Err(waiter.site.problem("a state that is an enum"));
    };
    let values = |names: &[String]| -> Found<Vec<String>> {
        let value = |name: &String| {
            let member = members.iter().find(|(member, _)| member == name);
            member.map(|(_, value)| value.clone()).ok_or_else(|| waiter.site.problem(format!("a state `{name}`")))
        };
        names.iter().map(value).collect()
    };
    let parameter = |(to, from): &(String, String)| -> Found<(String, String)> {
        let missing = |what: &str| method.site.problem(format!("{what} for `{to}` of `{}`", waiter.method));
        let to = wire_name(polled, to).ok_or_else(|| missing("an argument"))?;
        let bound = waiting.bind.iter().find(|(name, _)| name == from).map(|(_, bound)| bound);
        let value = match bound {
            Some(Bound::Argument(name)) => {
                format!("request.{}", wire_name(method, name).ok_or_else(|| missing("an argument"))?)
            }
            Some(Bound::Response(field)) if has_field(release, &method.outcome, field) => format!("response.{field}"),
            _ => return Err(missing("a value")),
        };
        Ok((to, value))
    };
    Ok(Some(Wait {
        operation: operation_id(&service.package, &service.class, &waiter.method),
        parameters: waiter.bind.iter().map(parameter).collect::<Found<_>>()?,
        state,
        success: values(&waiter.success)?,
        failure: values(&waiter.failure)?,
        message,
        timeout_seconds: waiter.timeout_seconds,
    }))
}

/// The wire names along a path of attributes, and the type at its end.
fn path(
    release: &Release,
    waiter: &Waiter,
    class: &SchemaId,
    attributes: &[String],
) -> Result<(Vec<String>, Option<Type>), Problem> {
    let mut at = Some(Type::Object(class.clone()));
    let mut names = Vec::new();
    for attribute in attributes {
        let field = match &at {
            Some(Type::Object(id)) => field_by_python(release, id, attribute),
            _ => None,
        };
        let Some(field) = field else {
            return Err(waiter.site.problem(format!("`{attribute}` to be a field of what is polled")));
        };
        names.push(field.wire.clone());
        at = Some(field.kind.clone());
    }
    Ok((names, at))
}

/// The name on the wire of an argument.
fn wire_name(method: &Method, argument: &str) -> Option<String> {
    let mut fields = method.query.iter().chain(method.body.iter().flatten());
    let field = fields.find(|field| field.python == argument).map(|field| field.wire.clone());
    let in_path = || method.call.path_arguments.iter().find(|used| used.name == argument).map(|used| used.name.clone());
    field.or_else(in_path)
}

fn has_field(release: &Release, outcome: &Outcome, wire: &str) -> bool {
    match outcome {
        Outcome::Json(Type::Object(id)) => object(release, id).iter().any(|field| field.wire == wire),
        _ => false,
    }
}
