//! Makes generated types accept what the API may send: on the syntax tree, never on text.
//!
//! - Each enum of texts gets a variant for any other text.
//! - Each `i64` is also read from text and from a float without a fraction.
//! - A list or map that is null is empty.
//! - Rows of text are kept in one text.

use quote::{format_ident, quote};
use syn::visit_mut::{VisitMut, visit_file_mut};
use syn::{
    Arm, Attribute, Expr, Field, Fields, File, Ident, ImplItem, Item, ItemEnum, ItemImpl, Pat, Type, parse_quote,
};

/// Applies every rule to the whole file.
pub(super) fn apply(file: &mut File) {
    let mut enums = EnumNames::default();
    visit_file_mut(&mut enums, file);
    visit_file_mut(&mut Tolerance { enums: enums.0 }, file);
}

/// The names of the enums whose variants are all texts.
#[derive(Default)]
struct EnumNames(Vec<Ident>);

impl VisitMut for EnumNames {
    fn visit_item_enum_mut(&mut self, item: &mut ItemEnum) {
        let is_text = !item.variants.is_empty()
            && item.variants.iter().all(|variant| matches!(variant.fields, Fields::Unit))
            && item.attrs.iter().any(|attribute| derives(attribute, "Deserialize"));
        if is_text {
            self.0.push(item.ident.clone());
        }
    }
}

struct Tolerance {
    enums: Vec<Ident>,
}

impl VisitMut for Tolerance {
    fn visit_item_mut(&mut self, item: &mut Item) {
        match item {
            Item::Enum(item) if self.enums.contains(&item.ident) => open(item),
            Item::Impl(item) if names_any(&item.self_ty, &self.enums) => open_impl(item),
            Item::Struct(item) => item.fields.iter_mut().for_each(tolerate),
            _ => syn::visit_mut::visit_item_mut(self, item),
        }
    }
}

/// Adds `Unlisted(String)`; an enum that holds text is not `Copy`.
fn open(item: &mut ItemEnum) {
    for attribute in &mut item.attrs {
        if derives(attribute, "Copy") {
            let paths =
                attribute.parse_args_with(syn::punctuated::Punctuated::<syn::Path, syn::Token![,]>::parse_terminated);
            if let Ok(paths) = paths {
                let kept = paths.into_iter().filter(|path| !path.is_ident("Copy"));
                *attribute = parse_quote!(#[derive(#(#kept),*)]);
            }
        }
    }
    item.variants.push(parse_quote! {
        #[doc = "A value that the specs do not list."]
        #[serde(untagged)]
        Unlisted(String)
    });
}

/// `Display` writes the unknown text, `FromStr` keeps it.
fn open_impl(item: &mut ItemImpl) {
    let Some((_, path, _)) = &item.trait_ else { return };
    let name = path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
    for member in &mut item.items {
        let ImplItem::Fn(function) = member else { continue };
        match name.as_str() {
            "Display" => Matches(&mut |matching| {
                // `match *self` would move the text out.
                if let Expr::Unary(dereferenced) = matching.expr.as_ref() {
                    *matching.expr = dereferenced.expr.as_ref().clone();
                }
                matching.arms.push(parse_quote!(Self::Unlisted(value) => f.write_str(value),));
            })
            .visit_impl_item_fn_mut(function),
            "FromStr" => Matches(&mut |matching| {
                if let Some(last) = matching.arms.iter_mut().find(|arm| matches!(arm.pat, Pat::Wild(_))) {
                    *last = unknown_arm();
                }
            })
            .visit_impl_item_fn_mut(function),
            _ => {}
        }
    }
}

fn unknown_arm() -> Arm {
    parse_quote!(unknown => Ok(Self::Unlisted(unknown.to_owned())),)
}

struct Matches<'a>(&'a mut dyn FnMut(&mut syn::ExprMatch));

impl VisitMut for Matches<'_> {
    fn visit_expr_match_mut(&mut self, matching: &mut syn::ExprMatch) {
        (self.0)(matching);
    }
}

/// Gives a field the reader that its type needs; a missing field is already read as its default.
fn tolerate(field: &mut Field) {
    let rows: Type = parse_quote!(::std::vec::Vec<::std::vec::Vec<::std::option::Option<::std::string::String>>>);
    if field.ty == rows {
        field.ty = parse_quote!(crate::Rows);
        for attribute in field.attrs.iter_mut().filter(|attribute| quote!(#attribute).to_string().contains("is_empty"))
        {
            *attribute = parse_quote!(#[serde(default, skip_serializing_if = "crate::Rows::is_empty")]);
        }
        return;
    }
    let reader = match &field.ty {
        ty if is(ty, "i64") => "integer",
        ty if inner(ty, "Option").is_some_and(|ty| is(ty, "i64")) => "optional_integer",
        ty if inner(ty, "Vec").is_some() || inner(ty, "HashMap").is_some() || inner(ty, "Map").is_some() => {
            "or_default"
        }
        _ => return,
    };
    let path = format!("crate::lenient::{reader}");
    let has_default = field
        .attrs
        .iter()
        .any(|attribute| attribute.path().is_ident("serde") && quote!(#attribute).to_string().contains("default"));
    field.attrs.push(parse_quote!(#[serde(deserialize_with = #path)]));
    if !has_default && inner(&field.ty, "Option").is_some() {
        field.attrs.push(parse_quote!(#[serde(default)]));
    }
}

fn names_any(ty: &Type, names: &[Ident]) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|segment| names.contains(&segment.ident)))
}

fn is(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident(&format_ident!("{name}")))
}

/// The first type argument of `…::name<T>`.
fn inner<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(path) = ty else { return None };
    let segment = path.path.segments.last().filter(|segment| segment.ident == name)?;
    let syn::PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        syn::GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

fn derives(attribute: &Attribute, name: &str) -> bool {
    let mut found = false;
    if attribute.path().is_ident("derive") {
        let _ = attribute.parse_nested_meta(|meta| {
            found |= meta.path.segments.last().is_some_and(|segment| segment.ident == name);
            Ok(())
        });
    }
    found
}
