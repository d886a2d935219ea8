//! The request types: each value where it belongs, with a type that fits.

use codegen::{Api, emit};

use crate::spec::{api, good_toolset};

/// The requests of these operations of the package `jobs`, of which the first is typed.
fn requests(api: &Api, ids: &[&str]) -> Result<String, String> {
    let toolset = format!(
        "operations: {{ {}: {{ typed: true }} }}\ncomposites: {{ work: {{ risk: write, uses: [{}], title: T, description: D., \
         verify: {{ note: N. }} }} }}",
        ids[0],
        ids.join(", ")
    );
    let allowlist = good_toolset(api, &toolset);
    let types = emit::types(api, &allowlist).map_err(|error| format!("{error:#}"))?;
    let requests = emit::requests(api, &allowlist, &types).map_err(|error| format!("{error:#}"))?;
    Ok(emit::source(requests).unwrap())
}

#[test]
fn each_value_has_its_place_and_type() {
    let api = api(r##"
        paths:
          /runs/{path}:
            post:
              operationId: jobs.runs.submit
              parameters:
                - { in: path, name: path, required: true, schema: { type: string } }
                - { in: query, name: dryRun, schema: { type: boolean } }
              takes:
                type: object
                required: [tasks, type, token]
                properties:
                  tasks: { type: array, items: { $ref: "#/components/schemas/Task" } }
                  type: { $ref: "#/components/schemas/Kind" }
                  path: { type: integer }
                  token: { type: string, x-databricks-auto: uuid }
              returns: { $ref: "#/components/schemas/Run" }
          /runs: { delete: { operationId: jobs.runs.delete } }
        schemas:
          Task: { type: object, properties: { key: { type: string } } }
          Kind: { type: string, enum: [A, B] }
          Run: { type: object, properties: { run_id: { type: integer } } }
        "##);
    let code = requests(&api, &["jobs.runs.submit", "jobs.runs.delete"]).unwrap();
    for part in [
        "pub mod jobs {",
        "pub mod runs {",
        "///`jobs.runs.submit`: `POST /runs/{path}`.",
        "pub struct Submit(Arguments);",
        "path: impl Into<String>,\n                tasks: ::std::vec::Vec<crate::types::Task>,\n                r#type: crate::types::Kind,\n",
        ".with(Location::Path, \"path\", Into::<String>::into(path))",
        ".with(Location::Body, \"tasks\", value(tasks))",
        ".with(Location::Body, \"type\", value(r#type))",
        "pub fn dry_run(mut self, dry_run: bool) -> Self",
        "self.0.insert(Location::Query, \"dryRun\", dry_run);",
        // A property of the body that is named as a value of the path.
        "pub fn body_path(mut self, body_path: impl Into<i64>) -> Self",
        "self.0.insert(Location::Body, \"path\", Into::<i64>::into(body_path));",
        // Required, but made by the client.
        "pub fn token(mut self, token: impl Into<String>) -> Self",
        "type Answer = crate::types::Run;",
        "const OPERATION: &'static Operation = &operations::JOBS_RUNS_SUBMIT;",
        "pub struct Delete(Arguments);",
        "type Answer = ();",
    ] {
        assert!(code.contains(part), "{part}\n{code}");
    }
}

#[test]
fn names_that_are_no_identifiers_are_refused() {
    let refusal = |name: &str| {
        let parameter = format!("{{ in: query, name: \"{name}\", schema: {{ type: string }} }}");
        let api = api(&format!(
            "paths: {{ /runs: {{ get: {{ operationId: jobs.runs.get, parameters: [ {parameter} ] }} }} }}"
        ));
        requests(&api, &["jobs.runs.get"]).unwrap_err()
    };
    for name in ["1st", "self"] {
        let refusal = refusal(name);
        assert!(refusal.starts_with("in operation `jobs.runs.get`: `"), "{refusal}");
        assert!(refusal.contains("is not an identifier"), "{refusal}");
    }
}
