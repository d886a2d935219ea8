//! Generates the tool and resource definitions from `specs/` and `allowlist/`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

fn main() -> Result<()> {
    for input in ["specs", "allowlist", "src/tools", "src/resources"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let api = codegen::Api::load(Path::new("specs"))?;
    let allowlist = codegen::Allowlist::load(Path::new("allowlist"), &api)?;
    allowlist.check_functions(&functions("src/tools")?, &functions("src/resources")?)?;
    let code = codegen::emit::source(codegen::emit::tools(&api, &allowlist)?)?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").context("OUT_DIR is not set")?);
    std::fs::write(out.join("tools.rs"), code).context("cannot write the generated code")
}

/// The stems of the Rust files of a directory: one function each.
fn functions(directory: &str) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(directory).with_context(|| format!("cannot read `{directory}`"))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let rust = paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    Ok(rust.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect())
}
