//! Several workspaces side by side: a call reaches the one it names, and no other.

use std::error::Error;

use databricks_mcp_server::context::Context;
use databricks_mcp_server::policy::Policy;
use databricks_mcp_server::registry::{Registry, Selection};
use databricks_mcp_server::server::Server;
use databricks_mcp_server::shape::Budget;
use databricks_mcp_server::workspaces::{Access, Workspaces};
use databricks_sandbox::{Options, Sandbox};
use rmcp::model::{ArgumentInfo, CompleteRequestParams, CompletionContext, Reference};
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};

struct Pair {
    harness: Harness,
    _other: Sandbox,
}

impl Pair {
    /// `dev`, which is the default, and `prod`; those of `closed` are read-only.
    async fn open(closed: &[&str], tokens: usize) -> Result<Self, Box<dyn Error>> {
        let context = |sandbox: &Sandbox, name: &str| -> Result<Context, Box<dyn Error>> {
            let mut config = databricks::Config::new(sandbox.url(), sandbox.token())?;
            config.limits.requests_per_second = None;
            let context = Context::new(databricks::Client::new(config)?, Budget::tokens(tokens), None);
            Ok(Context { policy: Policy { read_only: closed.contains(&name), ..Policy::default() }, ..context })
        };
        let dev = Sandbox::start(Options::default()).await?;
        // A call that went astray would be refused for its token.
        let prod = Sandbox::start(Options::default().with_token("dapi-sandbox-of-prod")).await?;
        let workspaces = Workspaces::new("dev", context(&dev, "dev")?).and("prod", context(&prod, "prod")?);
        let server = Server::new(Registry::new(&selection(&["dev", "prod"], closed))?, workspaces);
        Ok(Self { harness: Harness::of(server, dev).await?, _other: prod })
    }
}

fn selection(names: &[&str], closed: &[&str]) -> Selection {
    let access = |name: &&str| Access { name: (*name).to_owned(), read_only: closed.contains(name) };
    Selection { workspaces: names.iter().map(access).collect(), ..Selection::default() }
}

/// Creates a job in a workspace and gives its id.
async fn job(harness: &Harness, workspace: &str) -> Result<Value, Box<dyn Error>> {
    let task = json!({ "task_key": "one", "notebook_task": { "notebook_path": "/Shared/hello" } });
    let job = json!({ "name": format!("only in {workspace}"), "tasks": [task], "workspace": workspace });
    Ok(harness.answer("create_job", job).await?["job_id"].clone())
}

fn names(items: &[Value]) -> Vec<&str> {
    items.iter().filter_map(|item| item["settings"]["name"].as_str()).collect()
}

#[tokio::test]
async fn a_call_reaches_the_workspace_it_names() -> Outcome {
    let Pair { harness, _other } = Pair::open(&[], 6_000).await?;
    let id = job(&harness, "prod").await?;
    let (dev, _) = harness.all("list_jobs", json!({ "limit": 100 })).await?;
    let (prod, _) = harness.all("list_jobs", json!({ "limit": 100, "workspace": "PROD" })).await?;
    assert!(!names(&dev).contains(&"only in prod") && names(&prod).contains(&"only in prod"));
    let answer = harness.answer("get_job", json!({ "job_id": id, "workspace": "prod" })).await?;
    assert_eq!(answer.as_object().and_then(|fields| fields.keys().next()).map(String::as_str), Some("workspace"));
    assert_eq!(answer["workspace"], "prod");
    assert_eq!(harness.answer("list_catalogs", json!({})).await?["workspace"], "dev");
    let refusal = harness.refusal("get_job", json!({ "job_id": id })).await?;
    assert!(refusal.contains("workspace: `dev`") && refusal.contains("exists only there"), "{refusal}");
    let refusal = harness.refusal("list_jobs", json!({ "workspace": "prd", "limit": 0 })).await?;
    assert_eq!(
        refusal,
        "cannot call `list_jobs`: problems with its arguments\n  \
         `workspace`: expected one of dev, prod, got `prd`; did you mean `prod`?\n  \
         `limit`: expected a whole number of at least 1, got 0\nvalid: {}"
    );
    Ok(())
}

#[tokio::test]
async fn a_page_belongs_to_its_workspace() -> Outcome {
    let Pair { harness, _other } = Pair::open(&[], 6_000).await?;
    job(&harness, "prod").await?;
    let (whole, _) = harness.all("list_jobs", json!({ "limit": 100, "workspace": "prod" })).await?;
    let first = harness.answer("list_jobs", json!({ "limit": 2, "workspace": "prod" })).await?;
    let token = first["next_page_token"].clone();
    // Without the argument, the page itself says where it goes on.
    let (rest, pages) = harness.all("list_jobs", json!({ "limit": 2, "page_token": token })).await?;
    let paged: Vec<_> = first["items"].as_array().into_iter().flatten().chain(&rest).cloned().collect();
    assert!(pages > 1);
    assert_eq!(names(&paged), names(&whole));
    let refusal = harness.refusal("list_jobs", json!({ "page_token": token, "workspace": "dev" })).await?;
    assert!(refusal.contains("belongs to workspace `prod`"), "{refusal}");
    for text in ["x", "e30", "e30.c3RhZ2luZw"] {
        let refusal = harness.refusal("list_jobs", json!({ "page_token": text })).await?;
        assert!(refusal.contains("not issued by this server"), "{refusal}");
    }
    let single = Harness::default().await?;
    let refusal = single.refusal("list_jobs", json!({ "page_token": token })).await?;
    assert!(refusal.contains("not issued by this server"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn rows_of_a_result_go_on_in_their_workspace() -> Outcome {
    let Pair { harness, _other } = Pair::open(&["prod"], 1_000).await?;
    let query = "SELECT order_id FROM samples.retail.orders ORDER BY order_id LIMIT 400";
    let mut answer = harness.answer("execute_sql", json!({ "statement": query, "workspace": "prod" })).await?;
    let id = answer["statement_id"].clone();
    let mut rows = answer["rows"].as_array().map_or(0, Vec::len);
    while let Some(token) = answer.get("next_page_token").cloned() {
        answer = harness.answer("get_sql_result", json!({ "statement_id": id, "page_token": token })).await?;
        assert_eq!(answer["workspace"], "prod");
        rows += answer["rows"].as_array().map_or(0, Vec::len);
    }
    assert_eq!(rows, 400);
    Ok(())
}

#[tokio::test]
async fn a_read_only_workspace_refuses_writes_and_says_the_way_out() -> Outcome {
    let Pair { harness, _other } = Pair::open(&["prod"], 6_000).await?;
    let refusal = harness.refusal("delete_job", json!({ "job_id": 1, "workspace": "prod" })).await?;
    assert_eq!(
        refusal,
        "`delete_job` can change things, but workspace `prod` is read-only on this server\n\
         hint: with `workspace` it can be called in `dev`; in `prod`, whoever runs this server can allow it by leaving \
         out `--read-only-profile prod`"
    );
    let write = json!({ "statement": "CREATE TABLE main.default.t AS SELECT 1 AS a", "workspace": "prod" });
    let refusal = harness.refusal("execute_sql", write.clone()).await?;
    assert!(refusal.contains("only queries are allowed") && refusal.contains("workspace: `prod`"), "{refusal}");
    let mut allowed = write;
    allowed["workspace"] = json!("dev");
    harness.answer("execute_sql", allowed).await?;
    let missing = json!({ "full_name": "main.default.t", "workspace": "prod" });
    assert!(harness.refusal("get_table_schema", missing).await?.contains("does not exist"));
    harness.answer("get_table_schema", json!({ "full_name": "main.default.t" })).await?;
    Ok(())
}

#[tokio::test]
async fn a_read_only_default_leaves_the_choice_to_the_caller() -> Outcome {
    let Pair { harness, _other } = Pair::open(&["dev"], 6_000).await?;
    let refusal = harness.refusal("delete_job", json!({ "job_id": 1 })).await?;
    assert!(refusal.contains("the default workspace `dev` is read-only") && refusal.contains("`prod`"), "{refusal}");
    job(&harness, "prod").await?;
    let tools = harness.client.list_all_tools().await?;
    let delete = tools.iter().find(|tool| tool.name == "delete_job").ok_or("not listed")?;
    assert_eq!(delete.input_schema["properties"]["workspace"]["enum"], json!(["prod"]));
    assert!(delete.input_schema["required"].as_array().is_some_and(|names| names.contains(&json!("workspace"))));
    Ok(())
}

#[tokio::test]
async fn resources_say_their_workspace() -> Outcome {
    let Pair { harness, _other } = Pair::open(&[], 6_000).await?;
    let id = job(&harness, "prod").await?;
    let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    let listed = harness.client.list_all_resources().await?;
    let mut uris: Vec<_> = listed.iter().map(|resource| resource.uri.as_str()).collect();
    let (plain, named): (Vec<_>, Vec<_>) = uris.iter().copied().partition(|uri| !uri.contains('?'));
    assert!(plain.len() > 10 && named.iter().all(|uri| uri.ends_with("?workspace=prod")));
    let jobs = |uris: &[&str]| uris.iter().filter(|uri| uri.starts_with("databricks://jobs/")).count();
    assert_eq!(jobs(&named), jobs(&plain) + 1, "the same seed, and a job more");
    let uri = format!("databricks://jobs/{id}?workspace=prod");
    assert!(uris.contains(&uri.as_str()), "{uri}");
    uris.sort_unstable();
    uris.dedup();
    assert_eq!(uris.len(), listed.len());
    assert!(listed.iter().all(|resource| resource.title.as_ref().is_some_and(|title| title.ends_with(')'))));
    assert!(harness.read(&uri).await?.1.contains("only in prod"));
    let error = harness.read(&format!("databricks://jobs/{id}")).await.err().ok_or("read in the wrong workspace")?;
    assert!(error.to_string().contains("does not exist"), "{error}");
    let error = harness.read("databricks://catalogs/main?workspace=prd").await.err().ok_or("no such workspace")?;
    assert!(error.to_string().contains("did you mean `prod`?"), "{error}");
    let templates = harness.client.list_all_resource_templates().await?;
    assert!(templates.iter().all(|template| template.uri_template.ends_with("{?workspace}")));
    Ok(())
}

#[tokio::test]
async fn a_workspace_that_is_away_does_not_hide_the_other() -> Outcome {
    let dev = Sandbox::start(Options::default()).await?;
    let here = databricks::Config::new(dev.url(), dev.token())?;
    // Nothing listens on the discard port.
    let away = databricks::Config::new("http://127.0.0.1:9", "t")?;
    let context = |config| -> Result<Context, Box<dyn Error>> {
        Ok(Context::new(databricks::Client::new(config)?, Budget::tokens(6_000), None))
    };
    let workspaces = Workspaces::new("dev", context(here)?).and("prod", context(away)?);
    let server = Server::new(Registry::new(&selection(&["dev", "prod"], &[]))?, workspaces);
    let harness = Harness::of(server, dev).await?;
    let listed = harness.client.list_all_resources().await?;
    assert!(listed.len() > 10 && listed.iter().all(|resource| !resource.uri.contains('?')));
    harness.answer("list_jobs", json!({})).await?;
    let refusal = harness.refusal("list_jobs", json!({ "workspace": "prod" })).await?;
    assert!(refusal.contains("no connection") && refusal.contains("workspace: `prod`"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn workspaces_are_completed_where_there_are_several() -> Outcome {
    let Pair { harness, _other } = Pair::open(&[], 6_000).await?;
    let complete = async |uri: &str, variable: &str, start: &str| {
        let argument = ArgumentInfo::new(variable, start);
        let asked = CompleteRequestParams::new(Reference::for_resource(uri), argument);
        harness.client.complete(asked).await.map(|result| result.completion.values)
    };
    let template = "databricks://jobs/{job_id}{?workspace}";
    assert_eq!(complete(template, "workspace", "").await?, ["dev", "prod"]);
    assert_eq!(complete(template, "workspace", "P").await?, ["prod"]);
    complete("databricks://nothing", "workspace", "").await.expect_err("an unknown template");
    let id = job(&harness, "prod").await?;
    let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    assert!(complete(template, "job_id", "only in prod").await?.is_empty(), "the default is another");
    let chosen = CompletionContext::with_arguments([("workspace".to_owned(), "prod".to_owned())].into());
    for (reference, argument, expected) in [
        (Reference::for_resource(template), "job_id", id.clone()),
        (Reference::for_prompt("review_job"), "job", format!("only in prod ({id})")),
    ] {
        let asked = CompleteRequestParams::new(reference, ArgumentInfo::new(argument, "only in prod"));
        let found = harness.client.complete(asked.with_context(chosen.clone())).await?;
        assert_eq!(found.completion.values, [expected]);
    }
    let listed = harness.client.list_all_prompts().await?;
    let workspace = |prompt: &rmcp::model::Prompt| {
        prompt
            .arguments
            .iter()
            .flatten()
            .any(|argument| argument.name == "workspace" && argument.required == Some(false))
    };
    assert!(!listed.is_empty() && listed.iter().all(workspace));
    let asked = Reference::for_prompt("review_job");
    let asked = CompleteRequestParams::new(asked, ArgumentInfo::new("workspace", "pr"));
    assert_eq!(harness.client.complete(asked).await?.completion.values, ["prod"]);
    Ok(())
}

#[tokio::test]
async fn instructions_name_the_workspaces() -> Outcome {
    let Pair { harness, _other } = Pair::open(&["prod"], 6_000).await?;
    let text = harness.client.peer_info().and_then(|info| info.instructions.clone()).unwrap_or_default();
    assert!(text.starts_with("Tools for 2 Databricks workspaces: `dev` (default), `prod` (read-only). "), "{text}");
    let refusal = Harness::default().await?.refusal("list_jobs", json!({ "workspace": "dev" })).await?;
    assert!(refusal.contains("`workspace`: unknown"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn what_no_workspace_allows_is_not_listed() -> Outcome {
    let Pair { harness, _other } = Pair::open(&["dev", "prod"], 6_000).await?;
    for tool in harness.client.list_all_tools().await? {
        assert_eq!(tool.annotations.and_then(|hints| hints.read_only_hint), Some(true), "{}", tool.name);
    }
    let refusal = harness.call("delete_job", json!({ "job_id": 1 })).await.err().ok_or("a write was called")?;
    assert!(refusal.to_string().contains("read-only"), "{refusal}");
    Ok(())
}
