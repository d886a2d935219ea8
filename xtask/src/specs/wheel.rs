//! The SDK's wheel: where it comes from, and the source files in it. It is read, never installed or executed.

use std::fs;
use std::io::{Cursor, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};
use zip::ZipArchive;

use super::import::Source;

/// The distribution's name.
pub(crate) const DISTRIBUTION: &str = "databricks-sdk";

const SERVICES: &str = "databricks/sdk/service/";

/// A wheel in memory.
#[derive(Debug)]
pub(crate) struct Wheel {
    pub(crate) file_name: String,
    pub(crate) version: String,
    pub(crate) sha256: String,
    /// The service modules, by name.
    pub(crate) sources: Vec<Source>,
}

impl Wheel {
    /// Reads a wheel.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let archive = ZipArchive::new(Cursor::new(bytes));
        let mut archive = archive.with_context(|| format!("`{}` is not a wheel", path.display()))?;
        let mut sources = Vec::new();
        let mut version = None;
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index)?;
            let file = entry.name()?.into_owned();
            let is_metadata = file.starts_with("databricks_sdk-") && file.ends_with(".dist-info/METADATA");
            let package = service_package(&file);
            if !is_metadata && package.is_none() {
                continue;
            }
            let mut text = String::new();
            entry.read_to_string(&mut text).with_context(|| format!("`{file}` in the wheel"))?;
            if is_metadata {
                version = text.lines().find_map(|line| line.strip_prefix("Version: ")).map(str::to_owned);
            }
            if let Some(package) = package {
                sources.push(Source { package, file, text });
            }
        }
        sources.sort_by(|left, right| left.package.cmp(&right.package));
        let Some(version) = version.filter(|_| !sources.is_empty()) else {
            bail!("`{}` is not a wheel of {DISTRIBUTION}: no service modules with a version", path.display());
        };
        // The name that the release has, whatever the file is called here.
        let file_name = format!("databricks_sdk-{version}-py3-none-any.whl");
        Ok(Self { file_name, version, sha256, sources })
    }
}

/// The package that a file of the wheel is the module of.
fn service_package(file: &str) -> Option<String> {
    let package = file.strip_prefix(SERVICES)?.strip_suffix(".py")?;
    (!package.starts_with('_') && !package.contains('/')).then(|| package.to_owned())
}
