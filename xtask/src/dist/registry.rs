//! `server.json`: what the MCP registry lists of the server, and the packages from which clients can install it.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::Package;
use super::about::About;
use super::checksums;

const SCHEMA: &str = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json";
/// Letters of a description in the registry.
const LONGEST: usize = 100;

/// The entry for the packages of a directory. An image has to be named, because only its registry can say where it is.
pub(super) fn make(about: &About, output: &Path, image: Option<&str>) -> Result<Package> {
    ensure!(about.description.chars().count() <= LONGEST, "the description is too long for the MCP registry");
    let stdio = json!({ "type": "stdio" });
    let package = |registry: &str, identifier: &str, runtime: &str| {
        json!({
            "registryType": registry,
            "identifier": identifier,
            "version": about.version,
            "runtimeHint": runtime,
            "transport": stdio,
            "environmentVariables": variables(),
        })
    };
    let mut packages = vec![package("pypi", &about.more.pypi, "uvx"), package("npm", &about.more.npm, "npx")];
    for name in checksums::files(output)?.iter().filter(|name| name.ends_with(".mcpb")) {
        let content = std::fs::read(output.join(name)).with_context(|| format!("cannot read `{name}`"))?;
        packages.push(json!({
            "registryType": "mcpb",
            "identifier": format!("{}/releases/download/v{}/{name}", about.repository, about.version),
            "fileSha256": checksums::of(&content),
            "transport": stdio,
        }));
    }
    if let Some(image) = image {
        packages.push(json!({
            "registryType": "oci",
            "identifier": image,
            "runtimeHint": "docker",
            // The image serves over HTTP unless it is told otherwise.
            "packageArguments": [{ "type": "positional", "value": "serve" }],
            "transport": stdio,
            "environmentVariables": variables(),
        }));
    }
    let entry = json!({
        "$schema": SCHEMA,
        "name": about.more.mcp,
        "title": about.more.title,
        "description": about.description,
        "version": about.version,
        "repository": { "url": about.repository, "source": "github" },
        "packages": packages,
    });
    Ok(Package { name: "server.json".to_owned(), content: format!("{entry:#}\n").into_bytes() })
}

/// What a client may ask for.
fn variables() -> Value {
    json!([
        {
            "name": "DATABRICKS_HOST",
            "description": "Address of the workspace, such as https://acme.cloud.databricks.com",
        },
        {
            "name": "DATABRICKS_TOKEN",
            "description": "Personal access token; without it, a profile or a login with `auth login`",
            "isSecret": true,
        },
        {
            "name": "DATABRICKS_MCP_PROFILES",
            "description": "Profile of ~/.databrickscfg, instead of address and token",
        },
        {
            "name": "DATABRICKS_MCP_READ_ONLY",
            "description": "Leave out every tool that can change something",
            "format": "boolean",
            "default": "false",
        },
        {
            "name": "DATABRICKS_MCP_SANDBOX",
            "description": "Use the built-in sample workspace instead of a real one",
            "format": "boolean",
            "default": "false",
        },
    ])
}
