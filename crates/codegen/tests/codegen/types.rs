//! Types of answers and bodies: what progenitor makes of a small spec, made tolerant.

use codegen::{Api, emit};
use quote::ToTokens;
use syn::Item;

use crate::spec::{api, apis, toolset};

/// The code of the types of these operations, or why there is none.
fn try_types(api: &Api, ids: &[&str]) -> Result<syn::File, String> {
    let entries: Vec<_> = ids.iter().map(|id| format!("{id}: {{ typed: true }}")).collect();
    let allowlist = toolset(
        api,
        &format!(
            "operations: {{ {} }}\ncomposites: {{ work: {{ risk: write, uses: [{}], title: T, description: D., verify: {{ note: N. }} }} }}",
            entries.join(", "),
            ids.join(", ")
        ),
    )?;
    let types = emit::types(api, &allowlist).map_err(|error| format!("{error:#}"))?;
    Ok(syn::parse_file(&emit::source(types.code).unwrap()).unwrap())
}

/// The code of one type, without documentation.
fn type_named(file: &syn::File, name: &str) -> String {
    let found = file.items.iter().find(|item| match item {
        Item::Struct(item) => item.ident == name,
        Item::Enum(item) => item.ident == name,
        _ => false,
    });
    let mut item = found.unwrap_or_else(|| panic!("no type `{name}`")).clone();
    let is_documentation = |attribute: &syn::Attribute| attribute.path().is_ident("doc");
    match &mut item {
        Item::Struct(item) => {
            item.attrs.retain(|attribute| !is_documentation(attribute));
            item.fields.iter_mut().for_each(|field| field.attrs.retain(|attribute| !is_documentation(attribute)));
        }
        Item::Enum(item) => {
            item.attrs.retain(|attribute| !is_documentation(attribute));
            item.variants.iter_mut().for_each(|variant| variant.attrs.retain(|attribute| !is_documentation(attribute)));
        }
        _ => {}
    }
    prettyplease::unparse(&syn::parse2(item.to_token_stream()).unwrap())
}

const RUNS: &str = r##"
    paths:
      /runs/get:
        get:
          operationId: jobs.runs.get
          parameters: [ { in: query, name: run_id, required: true, schema: { type: integer, format: int64 } } ]
          returns: { $ref: "#/components/schemas/Run" }
    schemas:
      Run:
        type: object
        required: [run_id, state, tasks]
        properties:
          run_id: { type: integer, format: int64 }
          attempt: { type: integer, format: int32 }
          state: { $ref: "#/components/schemas/State" }
          tasks: { type: array, items: { type: string } }
          tags: { type: object, additionalProperties: { type: string } }
          rows: { type: array, items: { type: array, items: { type: string } } }
          started: { type: string, format: date-time }
      State: { type: string, enum: [RUNNING, DONE] }
"##;

#[test]
fn responses_are_tolerant() {
    let types = try_types(&api(RUNS), &["jobs.runs.get"]).unwrap();
    let optional = r#"#[serde(skip_serializing_if = "::std::option::Option::is_none")]"#;
    let integer = format!(
        r#"{optional}
    #[serde(deserialize_with = "crate::lenient::optional_integer")]
    #[serde(default)]"#
    );
    let list = r#"#[serde(default, skip_serializing_if = "::std::vec::Vec::is_empty")]
    #[serde(deserialize_with = "crate::lenient::or_default")]"#;
    assert_eq!(
        type_named(&types, "Run"),
        format!(
            r#"#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, Default)]
pub struct Run {{
    {integer}
    pub attempt: ::std::option::Option<i64>,
    #[serde(default, skip_serializing_if = "crate::Rows::is_empty")]
    pub rows: crate::Rows,
    {integer}
    pub run_id: ::std::option::Option<i64>,
    {optional}
    pub started: ::std::option::Option<::std::string::String>,
    {optional}
    pub state: ::std::option::Option<State>,
    #[serde(default, skip_serializing_if = ":: std :: collections :: HashMap::is_empty")]
    #[serde(deserialize_with = "crate::lenient::or_default")]
    pub tags: ::std::collections::HashMap<::std::string::String, ::std::string::String>,
    {list}
    pub tasks: ::std::vec::Vec<::std::string::String>,
}}
"#
        )
    );
    assert_eq!(
        type_named(&types, "State"),
        r#"#[derive(
    ::serde::Deserialize,
    ::serde::Serialize,
    Clone,
    Debug,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd
)]
pub enum State {
    #[serde(rename = "RUNNING")]
    Running,
    #[serde(rename = "DONE")]
    Done,
    #[serde(untagged)]
    Unlisted(String),
}
"#
    );
}

#[test]
fn inline_responses_are_tolerant_too() {
    let types = try_types(
        &api("
            paths:
              /runs: { get: { operationId: jobs.runs.list, returns:
                { type: object, required: [total], properties: { total: { type: integer, format: int32 } } } } }
            "),
        &["jobs.runs.list"],
    );
    let response = type_named(&types.unwrap(), "JobsRunsListResponse");
    assert!(response.contains("pub total: ::std::option::Option<i64>"), "{response}");
}

#[test]
fn bodies_keep_what_the_api_requires() {
    let types = try_types(
        &api(
            "
            paths:
              /runs/cancel: { post: { operationId: jobs.runs.cancel, takes: { $ref: '#/components/schemas/Cancel' } } }
            schemas:
              Cancel: { type: object, required: [run_id], properties: { run_id: { type: integer, format: int64 }, all: { type: boolean } } }
            ",
        ),
        &["jobs.runs.cancel"],
    );
    let request = type_named(&types.unwrap(), "Cancel");
    assert!(
        request.contains("pub run_id: i64") && request.contains("pub all: ::std::option::Option<bool>"),
        "{request}"
    );
}

#[test]
fn equal_names_of_two_packages_are_told_apart() {
    let api = apis(&[
        (
            "jobs",
            r##"
            paths:
              /jobs: { get: { operationId: jobs.jobs.get, returns: { $ref: "#/components/schemas/Job" } } }
            schemas:
              Job: { type: object, properties: { library: { $ref: "#/components/schemas/Library" },
                     cluster: { $ref: "compute.json#/components/schemas/Cluster" } } }
              Library: { type: object, properties: { name: { type: string } } }
            "##,
        ),
        (
            "compute",
            r##"
            paths: {}
            schemas:
              Cluster: { type: object, properties: { library: { $ref: "#/components/schemas/Library" } } }
              Library: { type: object, properties: { jar: { type: string } } }
              Unused: { type: object, properties: {} }
            "##,
        ),
    ]);
    let types = try_types(&api, &["jobs.jobs.get"]).unwrap();
    assert!(type_named(&types, "Job").contains("pub library: ::std::option::Option<JobsLibrary>"));
    assert!(type_named(&types, "Cluster").contains("pub library: ::std::option::Option<ComputeLibrary>"));
    assert!(type_named(&types, "JobsLibrary").contains("pub name"));
    assert!(type_named(&types, "ComputeLibrary").contains("pub jar"));
    assert!(!types.to_token_stream().to_string().contains("Unused"), "only what is reached");
}

#[test]
fn hostile_enum_values_stay_text() {
    for hostile in [r#""; fn evil() {} //"#, "*/ fn evil() {}", "a\n}} fn evil() {", "fn", "naïve 🧱"] {
        let text = serde_json::to_string(hostile).unwrap();
        let spec = RUNS.replace("[RUNNING, DONE]", &format!("[{text}, DONE]"));
        let types = try_types(&api(&spec), &["jobs.runs.get"]).unwrap();
        let state = type_named(&types, "State");
        let literal = hostile.to_token_stream().to_string();
        assert!(hostile == "fn" || state.contains(&format!("rename = {literal}")), "{state}");
        assert!(!types.items.iter().any(|item| matches!(item, Item::Fn(_))));
    }
}
