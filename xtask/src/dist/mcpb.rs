//! The bundle for desktop clients: a zip archive with the program and a manifest, from which the client makes a form.

use anyhow::Result;
use serde_json::{Value, json};

use super::{Package, Parts};
use crate::archive::{Entry, zip};

/// The version of the manifest's format.
const FORMAT: &str = "0.3";

pub(super) fn make(parts: &Parts) -> Result<Vec<Package>> {
    let Parts { about, program, .. } = parts;
    let file = format!("server/{}", program.file(&about.name));
    let mut entries = vec![
        Entry::text("manifest.json", format!("{:#}\n", manifest(parts, &file))),
        Entry::program(file, program.content.as_slice()),
        Entry::text("sbom.cdx.json", parts.bill.as_str()),
    ];
    entries.extend(parts.notices(""));
    let name = format!("{}-{}.mcpb", about.stem(), program.platform());
    Ok(vec![Package { name, content: zip::of(&entries, parts.style)? }])
}

fn manifest(parts: &Parts, file: &str) -> Value {
    let Parts { about, program, .. } = parts;
    let given = |field: &str| format!("${{user_config.{field}}}");
    let (system, _) = program.node();
    // Whoever fills in nothing has a variable without a value: the server takes it for none.
    let field = |kind: &str, title: &str, description: &str, default: Value| {
        json!({
            "type": kind,
            "title": title,
            "description": description,
            "required": false,
            "default": default,
        })
    };
    let text = |title: &str, description: &str, default: &str| field("string", title, description, default.into());
    let choice = |title: &str, description: &str, default: bool| field("boolean", title, description, default.into());
    let token = json!({
        "type": "string",
        "title": "Token",
        "description": "A personal access token; empty to use a profile, or a login with `auth login`",
        "required": false,
        "default": "",
        "sensitive": true,
    });
    json!({
        "manifest_version": FORMAT,
        "name": about.name,
        "display_name": about.more.title,
        "version": about.version,
        "description": about.description,
        "author": { "name": about.more.author },
        "repository": { "type": "git", "url": about.repository },
        "license": about.license,
        "keywords": about.keywords,
        "server": {
            "type": "binary",
            "entry_point": file,
            "mcp_config": {
                "command": format!("${{__dirname}}/{file}"),
                "args": [],
                "env": {
                    "DATABRICKS_HOST": given("host"),
                    "DATABRICKS_TOKEN": given("token"),
                    "DATABRICKS_MCP_PROFILES": given("profile"),
                    "DATABRICKS_MCP_TOOLSETS": given("toolsets"),
                    "DATABRICKS_MCP_READ_ONLY": given("read_only"),
                    "DATABRICKS_MCP_SANDBOX": given("sandbox"),
                },
            },
        },
        "user_config": {
            "sandbox": choice("Sandbox", "Use the built-in sample workspace; nothing else is needed then", false),
            "host": text("Workspace", "The address of the workspace, such as https://acme.cloud.databricks.com", ""),
            "token": token,
            "profile": text("Profile", "A profile of ~/.databrickscfg, instead of address and token", ""),
            "read_only": choice("Read only", "Leave out every tool that can change something", true),
            "toolsets": text("Toolsets", "Names of toolsets or presets, separated by commas", "default"),
        },
        "tools_generated": true,
        "prompts_generated": true,
        "compatibility": { "platforms": [system] },
    })
}
