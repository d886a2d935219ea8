//! From specs and allowlist to Rust code.

mod modules;
mod names;
mod operations;
mod prompts;
mod requests;
mod tools;
mod types;

pub use modules::{Functions, modules};
pub use operations::operations;
pub use requests::requests;
pub use tools::{definitions, tools};
pub use types::{TypedOperation, Types, types};

use anyhow::{Context, Result};
use proc_macro2::TokenStream;

/// First line of every generated file.
const HEADER: &str = "// Generated from specs/ and allowlist/ by build.rs; do not edit.\n\n";

/// Formats tokens as a source file that says that it is generated.
pub fn source(tokens: TokenStream) -> Result<String> {
    let file = syn::parse2(tokens).context("generated code does not parse")?;
    Ok(format!("{HEADER}{}", prettyplease::unparse(&file)))
}
