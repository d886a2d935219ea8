//! The operation table and the definitions as code: complete, and deaf to what spec text tries to say.

use codegen::{Allowlist, Api, emit};
use syn::visit::{Visit, visit_file};

use crate::spec::{api, apis, good_toolset, toolset, try_apis};

const FILES: &str = r##"
    paths:
      /files/{path}:
        post:
          operationId: jobs.files.list
          parameters:
            - { in: path, name: path, required: true, x-databricks-multi-segment: true, schema: { type: string } }
            - { in: query, name: limit, x-databricks-preset: 0, schema: { type: integer } }
          takes: { type: object, properties: { key: { type: string, x-databricks-auto: uuid } } }
          returns: { type: object, properties: { files: { type: array, items: {} }, next: { type: string } } }
          x-databricks-pagination: { style: token, items: files, in: query, request: token, response: next }
          x-databricks-workspace-routing: true
"##;

fn operations(api: &Api, allowlist: &Allowlist) -> String {
    emit::source(emit::operations(api, allowlist).unwrap()).unwrap()
}

#[test]
fn the_table_says_what_the_client_needs() {
    let api = api(FILES);
    let allowlist = good_toolset(
        &api,
        "
        composites: { watch: { risk: read, uses: [jobs.files.list], title: Watch, description: Watches. } }
        ",
    );
    assert_eq!(
        operations(&api, &allowlist),
        r#"// Generated from specs/ and allowlist/ by build.rs; do not edit.

use crate::operation::{
    Body, Location, Method, Operation, PageStyle, Pagination, Parameter, Response,
};
///`POST /files/{path}`
pub static JOBS_FILES_LIST: Operation = Operation {
    id: "jobs.files.list",
    method: Method::Post,
    path: "/files/{path}",
    parameters: &[
        Parameter {
            name: "path",
            location: Location::Path,
            required: true,
            multi_segment: true,
            flatten: false,
            auto_uuid: false,
            from_config: false,
            preset: None,
        },
        Parameter {
            name: "limit",
            location: Location::Query,
            required: false,
            multi_segment: false,
            flatten: false,
            auto_uuid: false,
            from_config: false,
            preset: Some("0"),
        },
        Parameter {
            name: "key",
            location: Location::Body,
            required: false,
            multi_segment: false,
            flatten: false,
            auto_uuid: true,
            from_config: false,
            preset: None,
        },
    ],
    body: Body::Json,
    response: Response::Json,
    pagination: Some(Pagination {
        style: PageStyle::Token,
        location: Location::Query,
        items: Some("files"),
        request: Some("token"),
        response: Some("next"),
        start: 0u64,
        count: None,
    }),
    workspace_routing: true,
    deprecated: false,
};
/// Every operation of the table.
pub static ALL: &[&Operation] = &[&JOBS_FILES_LIST];
"#
    );
}

/// Every text in the code, and everything that is an item of the file.
#[derive(Default)]
struct Contents {
    texts: Vec<String>,
    items: Vec<String>,
}

impl<'ast> Visit<'ast> for Contents {
    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.texts.push(text.value());
    }

    fn visit_item(&mut self, item: &'ast syn::Item) {
        self.items.push(match item {
            syn::Item::Static(item) => format!("static {}", item.ident),
            syn::Item::Use(_) => "use".to_owned(),
            other => format!("{other:?}"),
        });
        syn::visit::visit_item(self, item);
    }
}

fn contents(code: &str) -> Contents {
    let mut contents = Contents::default();
    visit_file(&mut contents, &syn::parse_file(code).unwrap());
    contents
}

/// What spec text may try; each would end the literal, the comment or the line that it stands in.
const HOSTILE: [&str; 9] = [
    r##""; fn evil() {} //"##,
    r##""#; fn evil() {}"##,
    "*/ fn evil() {} /*",
    "a\nfn evil() {}\n//",
    "}}}} fn evil() {",
    "{0} {evil}",
    r"\u{22}\n\",
    "fn",
    "naïve 🧱 \u{202e}live",
];

#[test]
fn hostile_text_stays_text() {
    for hostile in HOSTILE {
        let text = serde_json::to_string(hostile).unwrap();
        let api = api(&format!(
            "paths:\n  {path}:\n    get:\n      operationId: jobs.jobs.get\n      parameters:\n        - {{ in: query, name: \
             {text}, x-databricks-preset: {text}, schema: {{ type: string, enum: [{text}, B] }} }}\n      \
             x-databricks-pagination: {{ style: token, items: {text}, request: {text}, response: {text} }}",
            path = serde_json::to_string(&format!("/{hostile}")).unwrap(),
        ));
        let allowlist = good_toolset(
            &api,
            &format!(
                "operations:\n  jobs.jobs.get: {{ tool: get_it, risk: read, title: {text}, description: {text}, \
                 params: {{}}, resource: {{ uri: \"databricks://x\", name: {text}, title: {text}, description: {text} }} }}"
            ),
        );
        let table = contents(&operations(&api, &allowlist));
        assert_eq!(table.items, ["use", "static JOBS_JOBS_GET", "static ALL"], "{hostile}");
        let path = format!("/{}", hostile.split('#').next().unwrap());
        for text in [hostile.to_owned(), path, text] {
            assert!(table.texts.contains(&text), "{text} is not in {:?}", table.texts);
        }
        let tools = contents(&emit::source(emit::tools(&api, &allowlist).unwrap()).unwrap());
        let statics = ["TOOLSETS", "PRESETS", "TOOLS", "REACHABLE", "RESOURCES", "PROMPTS", "EXCLUDED"]
            .map(|name| format!("static {name}"));
        assert_eq!(tools.items, [["use"; 3].map(str::to_owned).as_slice(), &statics].concat(), "{hostile}");
        assert!(tools.texts.contains(&hostile.to_owned()), "{hostile}");
    }
}

#[test]
fn hostile_values_stay_in_the_schema() {
    for hostile in HOSTILE {
        let text = serde_json::to_string(hostile).unwrap();
        let api = api(&format!(
            "paths: {{ /x: {{ get: {{ operationId: jobs.jobs.get, parameters: [ {{ in: query, name: view, \
             schema: {{ type: string, enum: [{text}] }} }} ] }} }} }}"
        ));
        let allowlist = good_toolset(
            &api,
            &format!(
                "operations:\n  jobs.jobs.get: {{ tool: get_it, risk: read, title: T, description: D., \
                 params: {{ view: {{ description: {text}, default: {text} }} }} }}"
            ),
        );
        let tools = contents(&emit::source(emit::tools(&api, &allowlist).unwrap()).unwrap());
        let schema = tools.texts.iter().find(|text| text.starts_with('{')).unwrap();
        let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
        let view = &schema["properties"]["view"];
        assert_eq!(view["enum"], serde_json::json!([hostile]));
        assert_eq!(view["default"], hostile);
        assert_eq!(view["description"], hostile.trim());
    }
}

#[test]
fn ids_that_are_no_names_are_refused() {
    for id in [
        "jobs.jobs.get\"",
        "jobs.jobs.get it",
        "jobs.jobs.",
        "jobs.Jobs.get",
        "jobs.jobs.gét",
        "jobs.get",
        "sql.jobs.get",
    ] {
        let text = serde_json::to_string(id).unwrap();
        let error =
            try_apis(&[("jobs", &format!("paths: {{ /x: {{ get: {{ operationId: {text} }} }} }}"))]).unwrap_err();
        let expected =
            format!("in `jobs.json`, GET /x: `{id}` is not an operation id of the form `jobs.<service>.<method>`");
        assert_eq!(format!("{error:#}"), expected);
    }
}

#[test]
fn keywords_are_names_of_operations_but_not_of_functions() {
    let api = api("paths: { /x: { get: { operationId: jobs.type.match } } }");
    let allowlist =
        good_toolset(&api, "composites: { fn: { risk: read, uses: [jobs.type.match], title: T, description: D. } }");
    let table = contents(&operations(&api, &allowlist));
    assert_eq!(table.items, ["use", "static JOBS_TYPE_MATCH", "static ALL"]);
    assert_eq!(emit::tools(&api, &allowlist).unwrap_err().to_string(), "`fn` is not an identifier");
}

#[test]
fn operations_that_the_table_cannot_hold_are_refused() {
    let refusal = |operation: &str| {
        let api = api(&format!("paths: {{ /x: {{ post: {{ operationId: jobs.jobs.x, {operation} }} }} }}"));
        let allowlist =
            good_toolset(&api, "composites: { do_it: { risk: read, uses: [jobs.jobs.x], title: T, description: D. } }");
        format!("{:#}", emit::operations(&api, &allowlist).unwrap_err())
    };
    assert_eq!(
        refusal("takes: { type: array, items: { type: string } }"),
        "in operation `jobs.jobs.x`: its body is not an object: expose it through a composite on the typed client"
    );
    assert_eq!(
        refusal("x-databricks-pagination: { style: guess }"),
        "in operation `jobs.jobs.x`: page style `guess` is not understood"
    );
}

#[test]
fn a_definition_that_breaks_a_rule_fails_the_build() {
    let api = api("paths: { /x: { get: { operationId: jobs.jobs.x } } }");
    let description = "D".repeat(1_025);
    let tool = format!("{{ tool: X, risk: read, title: T, description: {description} }}");
    let allowlist = toolset(&api, &format!("operations: {{ jobs.jobs.x: {tool} }}"));
    assert_eq!(
        emit::tools(&api, &allowlist.unwrap()).unwrap_err().to_string(),
        "2 schema lint violation(s)\n  \
         tool `X` breaks L4 at `/name`: a name is 3 to 40 of `a-z0-9_` and starts with a letter\n  \
         tool `X` breaks L14 at `/description`: 1025 characters; 1 to 1024 pass"
    );
}

#[test]
fn specs_that_do_not_fit_are_refused() {
    let refusal = |packages: &[(&str, &str)]| format!("{:#}", try_apis(packages).unwrap_err());
    let get = |returns: &str| format!("paths: {{ /x: {{ get: {{ operationId: jobs.jobs.x, returns: {returns} }} }} }}");
    assert_eq!(
        refusal(&[("jobs", &get(r##"{ $ref: "#/components/schemas/Job" }"##))]),
        "in operation `jobs.jobs.x`: schema `jobs.Job` is referred to and missing"
    );
    assert_eq!(
        refusal(&[("jobs", &get("{ oneOf: [{ type: string }, { type: integer }] }"))]),
        "in `jobs.json`, GET /x: `oneOf`, `anyOf`, `not`, and `allOf` of several schemas are not understood"
    );
    let alias = format!("{}\nschemas: {{ A: {{ $ref: \"#/components/schemas/A\" }} }}", get("{}"));
    assert_eq!(refusal(&[("jobs", &alias)]), "in schema `jobs.A`: it is only a reference to itself");
    let other = apis(&[
        ("jobs", &get(r##"{ $ref: "sql.json#/components/schemas/Q" }"##)),
        ("sql", "paths: {}\nschemas: { Q: {} }"),
    ]);
    assert!(other.operations.contains_key("jobs.jobs.x"));
}
