//! Identifiers made from spec and allowlist text, which is untrusted: what is not an identifier is refused.

use anyhow::{Context, Result};
use heck::ToShoutySnakeCase;
use proc_macro2::{Ident, Span};

/// The name of an operation's static: `compute.clusters.get` is `COMPUTE_CLUSTERS_GET`.
pub(crate) fn operation(id: &str) -> Result<Ident> {
    identifier(&id.replace('.', "_").to_shouty_snake_case())
}

/// A Rust identifier, or an error naming the text that is none.
pub(crate) fn identifier(text: &str) -> Result<Ident> {
    syn::parse_str::<Ident>(text)
        .map(|identifier| Ident::new(&identifier.to_string(), Span::call_site()))
        .with_context(|| format!("`{text}` is not an identifier"))
}

/// The name of a variable: raw where the text is a word of the language, such as `type`.
pub(crate) fn variable(text: &str) -> Result<Ident> {
    identifier(text)
        .or_else(|_| syn::parse_str(&format!("r#{text}")).with_context(|| format!("`{text}` is not an identifier")))
}
