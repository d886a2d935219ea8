//! Generates the operation table, the requests and the types of answers from `specs/` and `allowlist/`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let (specs, allowlist) = (Path::new("../../specs"), Path::new("../../allowlist"));
    for input in [specs, allowlist] {
        println!("cargo::rerun-if-changed={}", input.display());
    }
    let api = codegen::Api::load(specs)?;
    let allowlist = codegen::Allowlist::load(allowlist, &api)?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").context("OUT_DIR is not set")?);
    let write = |name: &str, code: String| {
        std::fs::write(out.join(name), code).with_context(|| format!("cannot write `{name}`"))
    };
    write("operations.rs", codegen::emit::source(codegen::emit::operations(&api, &allowlist)?)?)?;
    let types = codegen::emit::types(&api, &allowlist)?;
    write("requests.rs", codegen::emit::source(codegen::emit::requests(&api, &allowlist, &types)?)?)?;
    write("types.rs", codegen::emit::source(types.code)?)
}
