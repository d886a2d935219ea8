//! Prompt definitions, as the server's statics.

use proc_macro2::TokenStream;
use quote::quote;

use super::names;
use super::operations::option;
use crate::allowlist::{Prompt, PromptArgument, PromptMessage};
use crate::completes::Completes;

/// The definition of a prompt.
pub(super) fn prompt(prompt: &Prompt) -> anyhow::Result<TokenStream> {
    let Prompt { name, title, description, tools, optional, .. } = prompt;
    let arguments = prompt.arguments.iter().map(argument).collect::<anyhow::Result<Vec<_>>>()?;
    let messages = prompt.messages.iter().map(message);
    Ok(quote! {
        PromptDefinition {
            name: #name,
            title: #title,
            description: #description,
            arguments: &[#(#arguments),*],
            tools: &[#(#tools),*],
            optional: &[#(#optional),*],
            messages: &[#(#messages),*],
        }
    })
}

fn argument(argument: &PromptArgument) -> anyhow::Result<TokenStream> {
    let PromptArgument { name, title, description, example, required, longest, values, .. } = argument;
    let default = option(argument.default.as_deref().map(str::trim));
    let completes = match argument.completes {
        Some(completes) => {
            let variant = variant(completes)?;
            quote!(Some(Completes::#variant))
        }
        None => quote!(None),
    };
    Ok(quote! {
        PromptArgument {
            name: #name,
            title: #title,
            description: #description,
            example: #example,
            required: #required,
            default: #default,
            longest: #longest,
            completes: #completes,
            values: &[#(#values),*],
        }
    })
}

fn variant(completes: Completes) -> anyhow::Result<proc_macro2::Ident> {
    names::identifier(&format!("{completes:?}"))
}

fn message(message: &PromptMessage) -> TokenStream {
    match message {
        PromptMessage::Text(text) => quote!(PromptPart::Text(#text)),
        PromptMessage::Embed { resource, with, otherwise } => {
            let with = with.iter().map(|(variable, argument)| quote!((#variable, #argument)));
            quote!(PromptPart::Embed { resource: #resource, with: &[#(#with),*], otherwise: #otherwise })
        }
    }
}
