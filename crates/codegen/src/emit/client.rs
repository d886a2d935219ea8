//! The typed client: progenitor's code for the operations that the allowlist marks as typed, made tolerant.
//!
//! The API drifts: enums gain values, fields appear and vanish, int64 arrive as text, lists as null. What
//! progenitor makes of a schema fails on each of these. So responses are loosened twice, first in the
//! document ([`document`]) and then on the generated tree ([`tolerance`]).

mod document;
mod tolerance;

use anyhow::{Context, Result, ensure};
use proc_macro2::TokenStream;
use progenitor_impl::{GenerationSettings, Generator, HooksMode, InterfaceStyle, TagStyle};
use quote::{ToTokens, quote};

use crate::allowlist::Allowlist;
use crate::api::{Api, Body, Operation};

/// The typed client of every operation that the allowlist marks as typed.
pub fn client(api: &Api, allowlist: &Allowlist) -> Result<TokenStream> {
    let ids: Vec<&str> = allowlist.typed().collect();
    for id in &ids {
        let operation = api.operations.get(*id).with_context(|| format!("no operation `{id}`"))?;
        supported(operation).with_context(|| format!("operation `{id}` cannot be typed"))?;
    }
    let document = document::pruned(api, &ids)?;
    let mut settings = GenerationSettings::new();
    settings
        .with_interface(InterfaceStyle::Positional)
        .with_tag(TagStyle::Merged)
        .with_hooks(HooksMode::Expected)
        .with_inner_type(quote!(crate::Transport));
    let tokens = Generator::new(&settings)
        .generate_tokens(&document)
        .map_err(|error| anyhow::anyhow!("progenitor refuses the pruned document: {error}"))?;
    let mut file: syn::File = syn::parse2(tokens).context("progenitor's code does not parse")?;
    tolerance::apply(&mut file);
    Ok(file.into_token_stream())
}

/// What the typed path cannot send rightly goes through the operation table.
fn supported(operation: &Operation) -> Result<()> {
    ensure!(operation.body != Body::Binary, "its body is binary");
    for parameter in &operation.parameters {
        ensure!(!parameter.multi_segment, "progenitor would escape the slashes of `{}`", parameter.name);
        ensure!(!parameter.flatten, "progenitor does not flatten the query object `{}`", parameter.name);
    }
    Ok(())
}
