//! What must hold for all tools together: the lints, the budgets, the order, the agreement with risk.

mod selection;

use databricks_mcp_server::definition::Risk;
use databricks_mcp_server::registry::{Registry, Selection, Tool};
use databricks_mcp_server::server::describe;
use databricks_mcp_server::server::instructions::instructions;
use databricks_mcp_server::workspaces::Access;
use serde_json::{Value, json};
use tiktoken_rs::CoreBPE;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn profile(toolsets: &[&str]) -> Result<Registry, databricks_mcp_server::error::Error> {
    let toolsets = toolsets.iter().map(|name| (*name).to_owned()).collect();
    Registry::new(&Selection { toolsets, ..Selection::default() })
}

fn shown<'a>(tools: impl IntoIterator<Item = &'a Tool>) -> Result<Vec<Value>, serde_json::Error> {
    tools.into_iter().map(|tool| serde_json::to_value(describe(tool))).collect()
}

#[test]
fn every_profile_passes_the_lints() -> Outcome {
    let all = Registry::all();
    let mut profiles = vec![shown(&all)?, shown(profile(&["default"])?.tools())?];
    for toolset in Registry::all_toolsets() {
        profiles.push(shown(profile(&[toolset.name])?.tools())?);
    }
    for tools in profiles {
        let violations: Vec<_> = codegen::lint::lint(&tools).iter().map(ToString::to_string).collect();
        assert!(violations.is_empty(), "{}", violations.join("\n"));
    }
    Ok(())
}

/// Tokens of what a client passes to a model: name, description and schema.
fn tokens(tokenizer: &CoreBPE, tool: &Value) -> usize {
    let part = |key: &str| tool.get(key).map(ToString::to_string).unwrap_or_default();
    ["name", "description", "inputSchema"].iter().map(|key| tokenizer.encode_ordinary(&part(key)).len()).sum()
}

#[test]
fn profiles_stay_within_their_budgets() -> Outcome {
    let tokenizer = tiktoken_rs::o200k_base()?;
    // `all` is no preset: who asks for it has a client that searches among tools.
    let mut profiles = vec![
        (vec!["default"], 40, 10_000),
        (vec!["reach"], 4, 1_500),
        // That is `--discover`.
        (vec!["discovery", "reach"], 6, 1_500),
        (vec!["all"], usize::MAX, usize::MAX),
    ];
    profiles.extend(Registry::all_presets().iter().map(|preset| (vec![preset.name], 128, 25_000)));
    for (toolsets, most_tools, most_tokens) in profiles {
        let tools = shown(profile(&toolsets)?.tools())?;
        let toolsets = toolsets.join(",");
        let whole = tokenizer.encode_ordinary(&Value::from(tools.clone()).to_string()).len();
        let each: Vec<_> = tools.iter().map(|tool| tokens(&tokenizer, tool)).collect();
        let mean = each.iter().sum::<usize>() / each.len();
        println!("{toolsets}: {} tools, {whole} tokens as serialized, {mean} a tool", tools.len());
        assert!(tools.len() <= most_tools, "{toolsets}: {} tools", tools.len());
        assert!(whole <= most_tokens, "{toolsets}: {whole} tokens");
        assert!(mean <= 220, "{toolsets}: {mean} tokens a tool");
        for (tool, tokens) in tools.iter().zip(each) {
            assert!(tokens <= 1_000, "{}: {tokens} tokens", tool["name"]);
        }
    }
    Ok(())
}

/// Two workspaces, of which the second is read-only.
fn side_by_side(toolsets: &[&str]) -> Result<Registry, databricks_mcp_server::error::Error> {
    let access = |name: &str| Access { name: name.to_owned(), read_only: name == "prod" };
    let workspaces = vec![access("dev"), access("prod")];
    let toolsets = toolsets.iter().map(|name| (*name).to_owned()).collect();
    Registry::new(&Selection { toolsets, workspaces, ..Selection::default() })
}

#[test]
fn a_second_workspace_costs_little() -> Outcome {
    let tokenizer = tiktoken_rs::o200k_base()?;
    let (alone, both) = (profile(&["all"])?, side_by_side(&["all"])?);
    let (before, after) = (shown(alone.tools())?, shown(both.tools())?);
    assert_eq!(before.len(), after.len());
    for ((tool, before), after) in both.tools().zip(&before).zip(&after) {
        let name = tool.definition.name;
        assert!(before["inputSchema"]["properties"].get("workspace").is_none(), "{name} has one of its own");
        let argument = &after["inputSchema"]["properties"]["workspace"];
        let reads = tool.definition.risk == Risk::Read || tool.definition.guarded;
        let names = if reads { json!(["dev", "prod"]) } else { json!(["dev"]) };
        assert_eq!(*argument, json!({ "type": "string", "enum": names, "description": "Default: dev." }), "{name}");
        let more = tokens(&tokenizer, after) - tokens(&tokenizer, before);
        assert!(more <= 25, "{name}: {more} tokens more");
        assert_eq!(before["annotations"], after["annotations"], "{name}");
    }
    let violations: Vec<_> = codegen::lint::lint(&after).iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
    Ok(())
}

/// The tools that this server answers alone.
const ABOUT_TOOLS: [&str; 4] = ["enable_toolset", "get_input_schema", "search_operations", "search_tools"];

#[test]
fn annotations_say_what_the_risk_is() -> Outcome {
    for tool in Registry::all() {
        let shown = serde_json::to_value(describe(&tool))?;
        let hint = |name: &str| shown["annotations"][name].as_bool();
        let definition = tool.definition;
        assert_eq!(hint("readOnlyHint"), Some(definition.risk == Risk::Read), "{}", definition.name);
        assert_eq!(hint("destructiveHint"), Some(definition.risk == Risk::Destructive), "{}", definition.name);
        let is_about_tools = ABOUT_TOOLS.contains(&definition.name);
        assert_eq!(hint("openWorldHint"), Some(!is_about_tools), "{}", definition.name);
        assert!(definition.risk != Risk::Read || hint("idempotentHint") == Some(true), "{}", definition.name);
        let length = definition.description.chars().count();
        assert!((100..=450).contains(&length), "{}: a description of {length} characters", definition.name);
    }
    Ok(())
}

#[test]
fn other_names_of_arguments_are_shown_nowhere_and_mean_one_thing() -> Outcome {
    let mut count = 0;
    for tool in Registry::all() {
        let properties = tool.input_schema["properties"].as_object().ok_or("no properties")?;
        for (other, name) in tool.definition.argument_aliases {
            let tool = tool.definition.name;
            assert!(
                properties.contains_key(*name),
                "{tool}: `{other}` is another name of `{name}`, which it does not take"
            );
            assert!(!properties.contains_key(*other), "{tool}: `{other}` is an argument itself");
            count += 1;
        }
    }
    assert!(count > 20, "{count} other names");
    Ok(())
}

#[test]
fn one_thing_has_one_name() -> Outcome {
    const BEFORE: [&str; 10] = [
        "file_path",
        "directory_path",
        "notebook_path",
        "table_name",
        "index_name",
        "max_results",
        "num_results",
        "page_size",
        "existing_cluster_id",
        "version_num",
    ];
    for tool in Registry::all() {
        let properties = tool.input_schema["properties"].as_object().ok_or("no properties")?;
        let found = properties.keys().find(|name| BEFORE.contains(&name.as_str()));
        assert_eq!(found, None, "{}", tool.definition.name);
    }
    Ok(())
}

#[test]
fn the_names_that_users_expect_are_there() -> Outcome {
    let default = profile(&["default"])?;
    for name in [
        "execute_sql",
        "run_notebook",
        "run_job_now",
        "start_cluster",
        "list_clusters",
        "get_table_schema",
        "list_tables",
        "list_job_runs",
        "list_workspace_items",
    ] {
        default.tool(name)?;
    }
    let uris: Vec<_> = default.resources().iter().map(|resource| resource.uri).collect();
    for kind in ["tables", "jobs", "runs", "clusters", "warehouses", "notebooks", "folders"] {
        assert!(uris.iter().any(|uri| uri.starts_with(&format!("databricks://{kind}/"))), "{kind} in {uris:?}");
    }
    Ok(())
}

#[test]
fn selections_only_narrow_and_read_only_wins() -> Outcome {
    let names = |selection: Selection| -> Result<Vec<&'static str>, databricks_mcp_server::error::Error> {
        Ok(Registry::new(&selection)?.tools().map(|tool| tool.definition.name).collect())
    };
    let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(names(Selection { tools: texts(&["list_jobs"]), ..Selection::default() })?, ["list_jobs"]);
    assert_eq!(
        names(Selection { tools: texts(&["create_job"]), ..Selection::default() })?,
        ["create_job", "get_input_schema"],
        "a tool with a bounded schema brings the tool that shows all of it"
    );
    let only_reading = Registry::new(&Selection {
        toolsets: texts(&["all"]),
        tools: texts(&["delete_job"]),
        read_only: true,
        ..Selection::default()
    })?;
    assert!(only_reading.tools().all(|tool| tool.risk == Risk::Read));
    assert!(only_reading.tools().all(|tool| tool.definition.risk == Risk::Read || tool.definition.guarded));
    let refused = only_reading.tool("delete_job").map(|tool| tool.definition.name).map_err(|error| error.to_string());
    assert_eq!(refused, Err("tool `delete_job` exists but is not enabled; this server is read-only".to_owned()));
    let without = Selection { exclude_tools: texts(&["execute_sql"]), ..Selection::default() };
    assert!(!names(without)?.contains(&"execute_sql"));
    for (selection, message) in [
        (Selection { toolsets: texts(&["job"]), ..Selection::default() }, "did you mean `jobs`?"),
        (Selection { tools: texts(&["list_job"]), ..Selection::default() }, "did you mean `list_jobs`?"),
        (Selection { exclude_tools: texts(&["executesql"]), ..Selection::default() }, "did you mean `execute_sql`?"),
    ] {
        let error = Registry::new(&selection).map(|_| ()).map_err(|error| error.to_string());
        assert!(error.as_ref().is_err_and(|text| text.contains(message)), "{error:?}");
    }
    Ok(())
}

#[test]
fn instructions_are_short_and_name_every_toolset() -> Outcome {
    let all = profile(&["all"])?;
    let text = instructions(&all);
    assert!(text.chars().count() <= 2_048, "{} characters", text.chars().count());
    assert!(!text.ends_with('…'), "cut: {text}");
    let default = instructions(&profile(&["default"])?);
    for toolset in Registry::all_toolsets().iter().filter(|toolset| toolset.default) {
        assert!(default.contains(toolset.title), "{}", toolset.title);
    }
    Ok(())
}

#[test]
fn renamed_tools_answer_to_their_old_names_and_are_listed_under_the_new() -> Outcome {
    let renamed = [
        ("cancel_sql_statement", "cancel_sql"),
        ("list_runs", "list_job_runs"),
        ("get_job_run", "get_run"),
        ("get_job_run_output", "get_run_output"),
        ("cancel_job_run", "cancel_run"),
        ("repair_job_run", "repair_run"),
        ("terminate_cluster", "stop_cluster"),
        ("list_cluster_events", "get_cluster_events"),
        ("get_effective_permissions", "get_effective_grants"),
    ];
    let all = Selection { toolsets: vec!["all".to_owned()], ..Selection::default() };
    let registry = Registry::new(&all)?;
    let texts: Vec<_> =
        registry.tools().map(describe).map(|tool| serde_json::to_string(&tool)).collect::<Result<_, _>>()?;
    for (old, new) in renamed {
        assert_eq!(registry.tool(old)?.definition.name, new);
        assert!(texts.iter().all(|text| !text.contains(&format!("`{old}`"))), "a text calls `{new}` `{old}`");
        assert!(registry.tools().all(|tool| tool.definition.name != old), "`{old}` is listed");
        let alone = Registry::new(&Selection { tools: vec![old.to_owned()], ..Selection::default() })?;
        assert_eq!(alone.tool(old)?.definition.name, new);
        // The tool that shows full schemas may come with it.
        assert!(alone.tools().count() <= 2, "`--tools {old}` selects more");
        let without = Registry::new(&Selection { exclude_tools: vec![old.to_owned()], ..all.clone() })?;
        let error = without.tool(old).err().ok_or("an excluded tool answers to its old name")?.to_string();
        assert!(error.contains(&format!("--tools {new}`")), "{error}");
        assert_eq!(without.tools().count() + 1, registry.tools().count());
    }
    Ok(())
}

/// A description that another one repeats tells a model nothing of which of the two it needs.
#[test]
fn no_description_repeats_another() {
    let mut told: std::collections::BTreeMap<&str, &str> = std::collections::BTreeMap::new();
    for tool in Registry::all().into_iter().chain(Registry::reachable()) {
        let (name, text) = (tool.definition.name, tool.definition.description);
        let first = text.split_once(". ").map_or(text, |(first, _)| first);
        let other = told.insert(first, name);
        assert!(other.is_none(), "`{name}` begins as {other:?} does: {first}");
    }
    assert!(told.len() > 1_000, "{}", told.len());
}
