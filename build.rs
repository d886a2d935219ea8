//! Generates the tool and resource definitions from `specs/` and `allowlist/`, and the modules of the functions in
//! `src/tools/` and `src/readers/`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use codegen::emit::{self, Functions};

fn main() -> Result<()> {
    for input in ["specs", "allowlist", "src/tools", "src/readers"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let api = codegen::Api::load(Path::new("specs"))?;
    let allowlist = codegen::Allowlist::load(Path::new("allowlist"), &api)?;
    let composites = Functions::find(Path::new("src/tools"))?;
    let readers = Functions::find(Path::new("src/readers"))?;
    allowlist.check_functions(&composites.names().collect::<Vec<_>>(), &readers.names().collect::<Vec<_>>())?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").context("OUT_DIR is not set")?);
    for (name, tokens) in [
        ("tools.rs", emit::tools(&api, &allowlist)?),
        ("composites.rs", emit::modules(&composites)?),
        ("readers.rs", emit::modules(&readers)?),
    ] {
        std::fs::write(out.join(name), emit::source(tokens)?).context("cannot write the generated code")?;
    }
    Ok(())
}
