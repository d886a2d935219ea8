//! The operation table: one static per exposed operation, for the REST client.

use anyhow::{Context, Result, bail, ensure};
use proc_macro2::TokenStream;
use quote::quote;

use super::names;
use crate::allowlist::Allowlist;
use crate::api::{Api, Body, Location, Operation, Pagination, Parameter, Response};

/// The table of every operation that the allowlist exposes.
pub fn operations(api: &Api, allowlist: &Allowlist) -> Result<TokenStream> {
    let mut statics = Vec::new();
    let mut names = Vec::new();
    for id in allowlist.table() {
        let operation = allowlist.operation(api, id).with_context(|| format!("no operation `{id}`"))?;
        let name = names::operation(id)?;
        ensure!(!names.contains(&name), "two operations are named `{name}`");
        let value = self::operation(operation, allowlist.pagination(operation))
            .with_context(|| format!("in operation `{id}`"))?;
        let text = format!("`{} {}`", operation.method, operation.path);
        statics.push(quote! {
            #[doc = #text]
            pub static #name: Operation = #value;
        });
        names.push(name);
    }
    Ok(quote! {
        use crate::operation::{Body, Location, Method, Operation, PageStyle, Pagination, Parameter, Response};

        #(#statics)*

        /// Every operation of the table.
        pub static ALL: &[&Operation] = &[#(&#names),*];
    })
}

fn operation(operation: &Operation, pagination: Option<Pagination>) -> Result<TokenStream> {
    let Operation { id, path, workspace_routing, deprecated, .. } = operation;
    let method = match operation.method.as_str() {
        "GET" => quote!(Method::Get),
        "HEAD" => quote!(Method::Head),
        "POST" => quote!(Method::Post),
        "PUT" => quote!(Method::Put),
        "PATCH" => quote!(Method::Patch),
        "DELETE" => quote!(Method::Delete),
        other => bail!("method {other} is not understood"),
    };
    let body = match &operation.body {
        Body::None => quote!(Body::None),
        Body::Object => quote!(Body::Json),
        Body::Binary => quote!(Body::Binary),
        Body::Other(_) => bail!("its body is not an object: expose it through a composite on the typed client"),
    };
    let response = match &operation.response {
        Response::Empty => quote!(Response::Empty),
        Response::Json(_) => quote!(Response::Json),
        Response::Text(_) => quote!(Response::Text),
        Response::Binary(_) => quote!(Response::Binary),
    };
    let parameters = operation.parameters.iter().map(parameter);
    let pagination = match pagination {
        Some(pagination) => {
            let pagination = self::pagination(&pagination)?;
            quote!(Some(#pagination))
        }
        None => quote!(None),
    };
    Ok(quote! {
        Operation {
            id: #id,
            method: #method,
            path: #path,
            parameters: &[#(#parameters),*],
            body: #body,
            response: #response,
            pagination: #pagination,
            workspace_routing: #workspace_routing,
            deprecated: #deprecated,
        }
    })
}

fn parameter(parameter: &Parameter) -> TokenStream {
    let Parameter { name, required, multi_segment, flatten, auto_uuid, from_config, .. } = parameter;
    let location = location(parameter.location);
    let preset = option(parameter.preset.as_ref().map(ToString::to_string).as_deref());
    quote! {
        Parameter {
            name: #name,
            location: #location,
            required: #required,
            multi_segment: #multi_segment,
            flatten: #flatten,
            auto_uuid: #auto_uuid,
            from_config: #from_config,
            preset: #preset,
        }
    }
}

fn pagination(pagination: &Pagination) -> Result<TokenStream> {
    let style = match pagination.style.as_str() {
        "token" => quote!(PageStyle::Token),
        "offset" => quote!(PageStyle::Offset),
        "page" => quote!(PageStyle::Page),
        "scim" => quote!(PageStyle::Scim),
        "none" => quote!(PageStyle::None),
        other => bail!("page style `{other}` is not understood"),
    };
    let location = location(if pagination.in_body { Location::Body } else { Location::Query });
    let [items, request, response, count] =
        [&pagination.items, &pagination.request, &pagination.response, &pagination.count]
            .map(|text| option(text.as_deref()));
    let start = pagination.start;
    Ok(quote! {
        Pagination {
            style: #style,
            location: #location,
            items: #items,
            request: #request,
            response: #response,
            start: #start,
            count: #count,
        }
    })
}

/// The tokens of a location.
pub(super) fn location(location: Location) -> TokenStream {
    match location {
        Location::Path => quote!(Location::Path),
        Location::Query => quote!(Location::Query),
        Location::Body => quote!(Location::Body),
    }
}

/// The tokens of an optional text.
pub(super) fn option(text: Option<&str>) -> TokenStream {
    match text {
        Some(text) => quote!(Some(#text)),
        None => quote!(None),
    }
}
