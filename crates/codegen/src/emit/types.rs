//! The types of answers and bodies: progenitor's, for the operations that the allowlist marks as typed, made tolerant.
//!
//! The API drifts: enums gain values, fields appear and vanish, int64 arrive as text, lists as null. Progenitor's types
//! fail on each of these. So responses are loosened twice, first in the document ([`document`]) and then on the
//! generated tree ([`tolerance`]).

mod document;
mod tolerance;

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use proc_macro2::TokenStream;
use progenitor_impl::{GenerationSettings, Generator, InterfaceStyle, TagStyle};
use quote::{ToTokens, quote};
use syn::visit_mut::{VisitMut, visit_path_mut};
use syn::{
    Attribute, File, FnArg, GenericArgument, ImplItem, Item, ItemMod, PathArguments, ReturnType, Type, parse_quote,
};

use crate::allowlist::Allowlist;
use crate::api::Api;

/// The types of the typed operations.
#[derive(Debug, Default)]
pub struct Types {
    /// The types themselves, each public.
    pub code: TokenStream,
    /// What is known of each operation, by id.
    pub operations: BTreeMap<String, TypedOperation>,
}

/// The types of one operation, as paths from the root of the client's crate.
#[derive(Debug, Clone, Default)]
pub struct TypedOperation {
    /// Of the answer, where it is JSON.
    pub answer: Option<Type>,
    /// Of the properties of the body, by their names on the wire.
    pub body: BTreeMap<String, Type>,
}

/// The types of every operation that the allowlist marks as typed.
///
/// # Errors
/// When progenitor does not understand a schema.
pub fn types(api: &Api, allowlist: &Allowlist) -> Result<Types> {
    let ids: Vec<&str> = allowlist.typed().collect();
    let document = document::pruned(api, &ids)?;
    let mut settings = GenerationSettings::new();
    settings.with_interface(InterfaceStyle::Positional).with_tag(TagStyle::Merged);
    let tokens = Generator::new(&settings)
        .generate_tokens(&document)
        .map_err(|error| anyhow!("progenitor refuses the pruned document: {error}"))?;
    let mut file: File = syn::parse2(tokens).context("progenitor's code does not parse")?;
    tolerance::apply(&mut file);
    let items = file.items.iter().find_map(|item| match item {
        Item::Mod(ItemMod { ident, content: Some((_, items)), .. }) if ident == "types" => Some(items.as_slice()),
        _ => None,
    });
    let items = items.context("progenitor's code has no types")?;
    let operations = ids.iter().map(|id| Ok(((*id).to_owned(), operation(&file, items, id)?)));
    Ok(Types { operations: operations.collect::<Result<_>>()?, code: quote!(#(#items)*) })
}

/// What progenitor's method of an operation takes and gives.
fn operation(file: &File, types: &[Item], id: &str) -> Result<TypedOperation> {
    let name = id.replace('.', "_");
    let members = file.items.iter().filter_map(|item| match item {
        Item::Impl(item) => Some(&item.items),
        _ => None,
    });
    let method = members.flatten().find_map(|member| match member {
        ImplItem::Fn(method) if method.sig.ident == name => Some(method),
        _ => None,
    });
    let signature = &method.with_context(|| format!("progenitor made no method of `{id}`"))?.sig;
    let body = signature.inputs.iter().find_map(|input| match input {
        FnArg::Typed(input) if input.pat.to_token_stream().to_string() == "body" => match input.ty.as_ref() {
            Type::Reference(reference) => Some(reference.elem.as_ref()),
            ty => Some(ty),
        },
        _ => None,
    });
    // `Result<ResponseValue<T>, Error<()>>`.
    let answer = match &signature.output {
        ReturnType::Type(_, ty) => argument(ty).and_then(argument).filter(|ty| is_generated(ty)).cloned(),
        ReturnType::Default => None,
    };
    Ok(TypedOperation {
        answer: answer.map(|ty| parse_quote!(crate::#ty)),
        body: body.map(|ty| properties(types, ty)).unwrap_or_default(),
    })
}

/// The types of the fields of a struct, without `Option` around them.
fn properties(types: &[Item], body: &Type) -> BTreeMap<String, Type> {
    let Type::Path(path) = body else { return BTreeMap::new() };
    let name = path.path.segments.last().map(|segment| &segment.ident);
    let body = types.iter().find_map(|item| match item {
        Item::Struct(item) if Some(&item.ident) == name => Some(item),
        _ => None,
    });
    let fields = body.into_iter().flat_map(|body| &body.fields).filter_map(|field| {
        let name = renamed(&field.attrs).or_else(|| Some(field.ident.as_ref()?.to_string()))?;
        let is_optional =
            matches!(&field.ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Option"));
        let mut ty = if is_optional { argument(&field.ty)?.clone() } else { field.ty.clone() };
        Rooted { types }.visit_type_mut(&mut ty);
        Some((name, ty))
    });
    fields.collect()
}

/// The name that serde gives a field.
fn renamed(attributes: &[Attribute]) -> Option<String> {
    let mut name = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        // What is not `rename = "…"` is passed over, with its value.
        let _ = attribute.parse_nested_meta(|meta| {
            if let Ok(value) = meta.value() {
                let value: syn::LitStr = value.parse()?;
                if meta.path.is_ident("rename") {
                    name = Some(value.value());
                }
            }
            Ok(())
        });
    }
    name
}

/// Makes the names of generated types paths from the root of the crate.
struct Rooted<'a> {
    types: &'a [Item],
}

impl VisitMut for Rooted<'_> {
    fn visit_path_mut(&mut self, path: &mut syn::Path) {
        visit_path_mut(self, path);
        let is_ours = |item: &Item| match item {
            Item::Struct(item) => path.is_ident(&item.ident),
            Item::Enum(item) => path.is_ident(&item.ident),
            _ => false,
        };
        if self.types.iter().any(is_ours) {
            *path = parse_quote!(crate::types::#path);
        }
    }
}

/// Whether progenitor made the type, of a schema with properties.
fn is_generated(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.first().is_some_and(|first| first.ident == "types"))
}

/// The first type argument of a type.
fn argument(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}
