//! The whole API, every operation exposed with every parameter: nothing in it breaks a rule.

use codegen::api::{Body, Operation, Parameter};
use codegen::{Allowlist, Api, emit, lint};

use crate::spec::{REAL, repository};

/// An entry for an operation: every parameter exposed, unless every list has it anyway.
fn entry(number: usize, operation: &Operation) -> String {
    let risk = match operation.method.as_str() {
        "GET" | "HEAD" => "read",
        "DELETE" => "destructive",
        _ => "write",
    };
    let pagination = operation.pagination.as_ref();
    let cursor = pagination.and_then(|pagination| pagination.request.as_deref());
    let is_given = |parameter: &&Parameter| !parameter.from_config && cursor != Some(parameter.name.as_str());
    let parameters = operation.parameters.iter().filter(is_given).map(|parameter| {
        let key = operation.key(parameter);
        format!("{key}: {{ as: \"{}\", description: Value. }}", key.replace("body.", "body_"))
    });
    let parameters: Vec<_> = parameters.collect();
    let verify = if risk == "read" { "" } else { " verify: { note: Look. }," };
    format!(
        "  {}: {{ tool: tool_{number:04}, risk: {risk}, title: Tool, description: Does it.,{verify} params: {{ {} }} }}\n",
        operation.id,
        parameters.join(", "),
    )
}

#[test]
fn every_operation_has_a_schema_that_every_client_takes() {
    let api = &*REAL;
    let mut text = "toolset: all\ntitle: All\ndescription: All.\noperations:\n".to_owned();
    for (number, operation) in api.operations.values().enumerate() {
        text += &entry(number, operation);
    }
    let allowlist = Allowlist::parse([("all", text.as_str())], api).unwrap();
    assert_eq!(allowlist.tools.len(), api.operations.len());
    let definitions = emit::definitions(api, &allowlist).unwrap();
    // What an open object shows comes from the example in its description, which only the real allowlist writes.
    let violations = lint::lint(&definitions).into_iter().filter(|violation| violation.rule != "L16");
    let violations: Vec<_> = violations.map(|violation| violation.to_string()).collect();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn the_code_of_the_allowlist_is_the_same_each_time() {
    let directory = repository().join("allowlist");
    let code = || {
        let api = Api::load(&repository().join("specs")).unwrap();
        let allowlist = Allowlist::load(&directory, &api).unwrap();
        let types = emit::types(&api, &allowlist).unwrap();
        let requests = emit::requests(&api, &allowlist, &types);
        [emit::operations(&api, &allowlist), requests, Ok(types.code), emit::tools(&api, &allowlist)]
            .map(|tokens| emit::source(tokens.unwrap()).unwrap())
    };
    let first = code();
    for code in &first {
        assert_eq!(code.lines().next(), Some("// Generated from specs/ and allowlist/ by build.rs; do not edit."));
        syn::parse_file(code).unwrap();
    }
    assert!(first == code(), "a second run gave other code");
}

/// Whatever a composite may use one day.
#[test]
fn every_operation_has_a_request() {
    let api = Api::load(&repository().join("specs")).unwrap();
    let with_values = api.operations.values().filter(|operation| !matches!(operation.body, Body::Other(_)));
    let ids: Vec<_> = with_values.map(|operation| operation.id.as_str()).collect();
    let text = format!(
        "toolset: all\ntitle: All\ndescription: All.\ncomposites:\n  work: {{ risk: destructive, uses: [{}], title: T, \
         description: D., verify: {{ note: N. }} }}\n",
        ids.join(", ")
    );
    let allowlist = Allowlist::parse([("all", text.as_str())], &api).unwrap();
    let requests = emit::requests(&api, &allowlist, &emit::Types::default()).unwrap();
    let code = emit::source(requests).unwrap();
    assert_eq!(code.matches("impl Request for ").count(), ids.len());
}
