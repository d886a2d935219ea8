//! The audit as one page for a browser, which needs nothing but itself.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use codegen::api::{Property, Schema};
use codegen::audit::type_name;
use serde::Serialize;

use super::report::Report;
use super::surface::Surface;

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");
const TREEMAP: &str = include_str!("page/treemap.js");

/// What the page's script reads.
#[derive(Serialize)]
struct Data<'a> {
    report: &'a Report,
    /// Fields of each named schema: name, type, and whether the API requires it; or the one type that it stands for.
    schemas: BTreeMap<&'a str, Vec<(&'a str, String, bool)>>,
}

/// The page, with everything in it.
pub(super) fn page(surface: &Surface, report: &Report) -> Result<String> {
    let names: BTreeSet<_> = surface.api.schemas.keys().map(String::as_str).collect();
    let schemas = names.into_iter().filter_map(|name| Some((name, fields(surface.api.schemas.get(name)?))));
    let data = serde_json::to_string(&Data { report, schemas: schemas.collect() })?;
    // A text of the specs must not end the script element that it stands in.
    let data = data.replace('<', "\\u003c");
    let page = PAGE.replace("/*style*/", STYLE).replace("/*script*/", &format!("{TREEMAP}\n{SCRIPT}"));
    Ok(page.replace("/*data*/", &data))
}

fn fields(schema: &Schema) -> Vec<(&str, String, bool)> {
    let field = |field: &'_ Property| (type_name(&field.schema), field.required);
    match schema {
        Schema::Object(properties) => properties
            .iter()
            .map(|property| {
                let (kind, required) = field(property);
                (property.name.as_str(), kind, required)
            })
            .collect(),
        other => vec![("", type_name(other), false)],
    }
}
