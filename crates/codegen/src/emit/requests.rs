//! The request types: one for each operation that a composite or a reader of a resource uses.
//!
//! When a name in the API changes, the compiler then reports an error where the request is made, and a required value
//! cannot be left out.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use heck::{ToPascalCase, ToSnakeCase};
use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::Type;

use super::names;
use super::operations::location;
use super::types::{TypedOperation, Types};
use crate::allowlist::Allowlist;
use crate::api::{Api, Body, Location, Operation, Parameter, Response, Schema};

/// The requests of every operation that is used by code, in modules that follow its id: `sql.warehouses.get` is
/// `sql::warehouses::Get`.
///
/// # Errors
/// When a name of the API is no identifier.
pub fn requests(api: &Api, allowlist: &Allowlist, types: &Types) -> Result<TokenStream> {
    let mut packages: BTreeMap<&str, BTreeMap<&str, Vec<TokenStream>>> = BTreeMap::new();
    for id in allowlist.used() {
        let operation = allowlist.operation(api, id).with_context(|| format!("no operation `{id}`"))?;
        let parts: Vec<_> = id.split('.').collect();
        let [package, service @ .., method] = parts.as_slice() else { continue };
        let request = request(api, operation, method, types.operations.get(id))
            .with_context(|| format!("in operation `{id}`"))?;
        // An operation that the specs lack has no service.
        let service = service.first().copied().unwrap_or_default();
        packages.entry(package).or_default().entry(service).or_default().push(request);
    }
    let packages = packages.into_iter().map(|(package, services)| {
        let text = format!("Requests of the package `{package}`.");
        let services = services.into_iter().map(|(service, requests)| {
            if service.is_empty() {
                return Ok(quote! { #(#requests)* });
            }
            let (name, text) = (names::identifier(service)?, format!("Requests of the service `{package}.{service}`."));
            Ok(quote! {
                #[doc = #text]
                pub mod #name {
                    use super::*;

                    #(#requests)*
                }
            })
        });
        let (name, services) = (names::identifier(package)?, services.collect::<Result<Vec<_>>>()?);
        Ok(quote! {
            #[doc = #text]
            pub mod #name {
                #[allow(unused_imports)]
                use super::*;

                #(#services)*
            }
        })
    });
    let packages = packages.collect::<Result<Vec<_>>>()?;
    Ok(quote! { #(#packages)* })
}

/// One value of a request.
struct Field {
    name: Ident,
    place: TokenStream,
    wire_name: String,
    kind: Kind,
    in_constructor: bool,
}

impl Field {
    fn of(api: &Api, operation: &Operation, parameter: &Parameter, typed: Option<&TypedOperation>) -> Result<Self> {
        let typed = typed.filter(|_| parameter.location == Location::Body);
        let is_supplied = parameter.auto_uuid || parameter.from_config || parameter.preset.is_some();
        Ok(Self {
            name: names::variable(&operation.key(parameter).replace('.', "_").to_snake_case())?,
            place: location(parameter.location),
            wire_name: parameter.name.clone(),
            kind: Kind::of(api, &parameter.schema, typed.and_then(|typed| typed.body.get(&parameter.name))),
            in_constructor: parameter.required && !is_supplied,
        })
    }

    /// The field as an input of a function.
    fn input(&self) -> TokenStream {
        let (name, ty) = (&self.name, self.kind.ty());
        quote!(#name: #ty)
    }

    /// What is given to a function of `Arguments` that takes a place, a name and a value.
    fn place_and_value(&self) -> TokenStream {
        let (place, wire_name) = (&self.place, &self.wire_name);
        let value = self.kind.converted(&self.name);
        quote!(#place, #wire_name, #value)
    }

    fn setter(&self) -> TokenStream {
        let (name, input, value) = (&self.name, self.input(), self.place_and_value());
        let text = format!("Sets `{}`.", self.wire_name);
        quote! {
            #[doc = #text]
            pub fn #name(mut self, #input) -> Self {
                self.0.insert(#value);
                self
            }
        }
    }
}

fn request(api: &Api, operation: &Operation, method: &str, typed: Option<&TypedOperation>) -> Result<TokenStream> {
    let (name, table) = (names::identifier(&method.to_pascal_case())?, names::operation(&operation.id)?);
    let fields = operation.parameters.iter().map(|parameter| Field::of(api, operation, parameter, typed));
    let fields = fields.collect::<Result<Vec<_>>>()?;
    for (index, field) in fields.iter().enumerate() {
        let is_taken = fields.iter().take(index).any(|other| other.name == field.name);
        ensure!(!is_taken, "two parameters are named `{}`", field.name);
    }
    let (required, optional): (Vec<_>, Vec<_>) = fields.iter().partition(|field| field.in_constructor);
    let (inputs, setters) = (required.iter().map(|field| field.input()), optional.iter().map(|field| field.setter()));
    let values = required.iter().map(|field| {
        let value = field.place_and_value();
        quote!(.with(#value))
    });
    let (answer, read) = match (&operation.response, typed.and_then(|typed| typed.answer.as_ref())) {
        (Response::Empty, _) => (quote!(()), quote!(nothing)),
        (Response::Json(_), Some(ty)) => (quote!(#ty), quote!(typed)),
        (Response::Json(_), None) => (quote!(Value), quote!(json)),
        (Response::Text(_) | Response::Binary(_), _) => (quote!(Payload), quote!(whole)),
    };
    let parse = matches!(operation.response, Response::Json(_)) && typed.is_some_and(|typed| typed.answer.is_some());
    let parse = parse.then(|| {
        quote! {
            fn parse(text: &[u8]) -> Option<Self::Answer> {
                serde_json::from_slice(text).ok()
            }
        }
    });
    let text = format!("`{}`: `{} {}`.", operation.id, operation.method, operation.path);
    let text = if operation.body == Body::Binary { format!("{text} Its body are bytes.") } else { text };
    Ok(quote! {
        #[doc = #text]
        #[derive(Debug, Clone, PartialEq)]
        #[must_use = "a request does nothing until it is sent"]
        pub struct #name(Arguments);

        impl #name {
            /// A request with everything that is required.
            #[allow(clippy::new_without_default)]
            pub fn new(#(#inputs),*) -> Self {
                Self(Arguments::new()#(#values)*)
            }

            #(#setters)*
        }

        impl Request for #name {
            const OPERATION: &'static Operation = &operations::#table;
            type Answer = #answer;

            fn into_arguments(self) -> Arguments {
                self.0
            }

            fn arguments_mut(&mut self) -> &mut Arguments {
                &mut self.0
            }

            fn read(payload: Payload) -> Result<Self::Answer, Error> {
                #read(payload)
            }

            #parse
        }
    })
}

/// What a value is given as.
#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Boolean,
    Integer,
    Text,
    Typed(Box<Type>),
    /// Anything that becomes JSON.
    Json,
}

impl Kind {
    fn of(api: &Api, schema: &Schema, typed: Option<&Type>) -> Self {
        match schema {
            Schema::Boolean => Self::Boolean,
            Schema::Integer { .. } => Self::Integer,
            Schema::String(_) => Self::Text,
            _ => match typed {
                Some(ty) => Self::Typed(Box::new(ty.clone())),
                None if is_text(api, schema) => Self::Text,
                None => Self::Json,
            },
        }
    }

    fn ty(&self) -> TokenStream {
        match self {
            Self::Boolean => quote!(bool),
            Self::Integer => quote!(impl Into<i64>),
            Self::Text => quote!(impl Into<String>),
            Self::Typed(ty) => quote!(#ty),
            Self::Json => quote!(impl Into<Value>),
        }
    }

    /// The value of this name as what `databricks::Arguments` take.
    fn converted(&self, name: &Ident) -> TokenStream {
        match self {
            Self::Boolean | Self::Json => quote!(#name),
            Self::Integer => quote!(Into::<i64>::into(#name)),
            Self::Text => quote!(Into::<String>::into(#name)),
            Self::Typed(_) => quote!(value(#name)),
        }
    }
}

fn is_text(api: &Api, schema: &Schema) -> bool {
    match schema {
        Schema::String(_) | Schema::Enum(_) => true,
        Schema::Reference(name) => matches!(api.schemas.get(name), Some(Schema::String(_) | Schema::Enum(_))),
        _ => false,
    }
}
