//! Whether the words of a tool lead to it: clients with many tools search names, descriptions and argument names.

use std::collections::{BTreeMap, BTreeSet};

use databricks_mcp_server::registry::{Registry, Tool};

/// Of so many prompts in a hundred the right tool is among the first three.
const SHARE: usize = 90;
const FIRST: usize = 3;

/// What people ask for, and the tool that does it.
const PROMPTS: &[(&str, &str)] = &[
    ("run a SQL query on the warehouse and show the rows", "execute_sql"),
    ("insert these rows into a table with SQL", "execute_sql"),
    ("count the rows of samples.retail.orders", "execute_sql"),
    ("continue the statement and give me the next rows of the result", "get_sql_result"),
    ("wait for my SQL statement that is still running", "get_sql_result"),
    ("cancel the SQL query that runs too long", "cancel_sql"),
    ("kill a running SQL statement", "cancel_sql"),
    ("which SQL warehouses can I use", "list_warehouses"),
    ("what are the connection details, host name and HTTP path of my SQL warehouse", "get_warehouse"),
    ("start the SQL warehouse", "start_warehouse"),
    ("stop the SQL warehouse to save money", "stop_warehouse"),
    ("show slow queries of yesterday from the query history", "list_query_history"),
    ("which queries failed today", "list_query_history"),
    ("create a small serverless SQL warehouse", "create_warehouse"),
    ("change the size of the SQL warehouse", "update_warehouse"),
    ("delete the old SQL warehouse", "delete_warehouse"),
    ("why is this SQL query slow", "explain_query"),
    ("show the plan of a query and whether it does a full scan", "explain_query"),
    ("did my query spill to disk", "explain_query"),
    ("how much did our jobs cost last month", "get_job_costs"),
    ("which jobs are the most expensive", "get_job_costs"),
    ("what do the SQL warehouses cost per day", "get_warehouse_costs"),
    ("DBUs and spend of a warehouse", "get_warehouse_costs"),
    ("which catalogs are there in Unity Catalog", "list_catalogs"),
    ("list the schemas of catalog main", "list_schemas"),
    ("list all tables in schema main.sales", "list_tables"),
    ("show tables and views of a schema with their columns", "list_tables"),
    ("find tables about customers", "search_tables"),
    ("search for a table with a column named email", "search_tables"),
    ("where is the revenue table", "search_tables"),
    ("what columns does the orders table have", "get_table_schema"),
    ("describe a table with its keys and partitioning", "get_table_schema"),
    ("show sample rows and column statistics of a table", "get_table_schema"),
    ("which tables is this table made of, show its lineage", "get_table_lineage"),
    ("what breaks downstream if I change this column", "get_table_lineage"),
    ("upstream sources of a table", "get_table_lineage"),
    ("list the volumes in a schema", "list_volumes"),
    ("who has access to this table", "get_effective_grants"),
    ("which privileges does a user have on the schema, inherited ones too", "get_effective_grants"),
    ("grant SELECT on a table to a group", "update_grants"),
    ("create a catalog", "create_catalog"),
    ("create a new schema in catalog main", "create_schema"),
    ("delete a schema", "delete_schema"),
    ("create a volume for files", "create_volume"),
    ("delete a Unity Catalog volume", "delete_volume"),
    ("change the owner of a catalog", "update_catalog"),
    ("list connections to other databases such as PostgreSQL", "list_connections"),
    ("which external locations and cloud paths are there", "list_external_locations"),
    ("list the user-defined functions of a schema", "list_functions"),
    ("show the code of a UDF", "get_function"),
    ("list machine learning models in Unity Catalog", "list_registered_models"),
    ("which version has the champion alias of a model", "get_registered_model"),
    ("list the versions of a registered model", "list_model_versions"),
    ("point the champion alias to version 3", "set_model_alias"),
    ("list the jobs of the workspace", "list_jobs"),
    ("which workflows do we have", "list_jobs"),
    ("show the definition, tasks and schedule of a job", "get_job"),
    ("create a job with two notebook tasks that runs every night", "create_job"),
    ("change the schedule of a job", "update_job"),
    ("delete a job", "delete_job"),
    ("show the recent runs of a job", "list_runs"),
    ("what is the status of this run", "get_run"),
    ("show the error and logs of a failed task run", "get_run_output"),
    ("rerun only the failed tasks of the run", "repair_run"),
    ("cancel the running job run", "cancel_run"),
    ("run the nightly job now", "run_job_now"),
    ("trigger a job with parameters", "run_job_now"),
    ("run a notebook and give me its result", "run_notebook"),
    ("why did this run fail", "diagnose_run"),
    ("run Python code on a cluster", "run_code"),
    ("wait until the run has ended", "wait_for_run"),
    ("which clusters are running", "list_clusters"),
    ("show the state and configuration of a cluster", "get_cluster"),
    ("start my cluster", "start_cluster"),
    ("stop the cluster", "stop_cluster"),
    ("restart the cluster to pick up new libraries", "restart_cluster"),
    ("why was the cluster terminated, show its events", "get_cluster_events"),
    ("create a cluster with two workers", "create_cluster"),
    ("resize the cluster", "update_cluster"),
    ("delete a cluster permanently", "delete_cluster"),
    ("which libraries are installed on the cluster", "list_cluster_libraries"),
    ("install pandas on the cluster", "install_cluster_libraries"),
    ("which node types and machine sizes are there", "list_node_types"),
    ("list Spark runtime versions", "list_spark_versions"),
    ("which cluster policies can I use", "list_cluster_policies"),
    ("what is in the folder /Users/me", "list_workspace_items"),
    ("list notebooks in a workspace folder", "list_workspace_items"),
    ("read the source code of a notebook", "export_notebook"),
    ("write a notebook into the workspace", "import_notebook"),
    ("create a folder in the workspace", "create_workspace_folder"),
    ("delete a notebook", "delete_workspace_item"),
    ("list the files in a volume directory", "list_volume_files"),
    ("upload a local file to a volume", "upload_file"),
    ("download a file from a volume", "download_file"),
    ("upload a whole folder to the workspace", "upload_folder"),
    ("read a text file in a volume", "read_volume_file"),
    ("delete a file in a volume", "delete_volume_file"),
    ("create a directory in a volume", "create_volume_directory"),
    ("list files in DBFS", "list_dbfs_files"),
    ("list git folders (repos)", "list_git_folders"),
    ("clone a Git repository into the workspace", "create_git_folder"),
    ("switch a Git folder to another branch", "update_git_folder"),
    ("list secret scopes", "list_secret_scopes"),
    ("store a secret in a scope", "put_secret"),
    ("delete a secret", "delete_secret"),
    ("list the secrets of a scope", "list_secrets"),
    ("who can manage this job, show permissions of a job or cluster", "get_permissions"),
    ("give a user CAN RUN permission on a job", "update_permissions"),
    ("list SQL alerts", "list_alerts"),
    ("create an alert when a query returns a value above a threshold", "create_alert"),
    ("list saved queries", "list_saved_queries"),
    ("save a SQL query for later", "create_saved_query"),
    ("show the text of a saved query", "get_saved_query"),
    ("list the pipelines", "list_pipelines"),
    ("show the state of a DLT pipeline", "get_pipeline"),
    ("run the pipeline with a full refresh", "run_pipeline"),
    ("start an update of the pipeline", "run_pipeline"),
    ("stop the pipeline", "stop_pipeline"),
    ("which model serving endpoints are there", "list_serving_endpoints"),
    ("ask a model on a serving endpoint for a chat completion", "query_endpoint"),
    ("list vector search indexes", "list_vector_indexes"),
    ("search a vector index for similar documents", "query_index"),
    ("which Genie spaces can I ask", "list_genie_spaces"),
    ("ask Genie how revenue developed", "ask_genie"),
    ("what is the full input schema of create_job", "get_input_schema"),
];

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// How often each word is in what clients search of a tool.
fn document(tool: &Tool) -> BTreeMap<String, f64> {
    let arguments = tool.input_schema.get("properties").and_then(|properties| properties.as_object());
    let arguments = arguments.into_iter().flat_map(|properties| properties.keys().map(String::as_str));
    let texts = [tool.definition.name, tool.definition.description].into_iter().chain(arguments);
    let mut counts = BTreeMap::new();
    for word in texts.flat_map(words) {
        *counts.entry(word).or_insert(0.0) += 1.0;
    }
    counts
}

/// BM25 as in the textbook, with k1 = 1.2 and b = 0.75.
struct Index {
    documents: Vec<(&'static str, BTreeMap<String, f64>)>,
    mean: f64,
}

impl Index {
    fn new(tools: &[Tool]) -> Self {
        let documents: Vec<_> = tools.iter().map(|tool| (tool.definition.name, document(tool))).collect();
        let length: f64 = documents.iter().flat_map(|(_, counts)| counts.values()).sum();
        Self { mean: length / documents.len() as f64, documents }
    }

    fn first(&self, prompt: &str) -> Vec<&'static str> {
        let all = self.documents.len() as f64;
        let mut scores: Vec<(f64, &str)> = self.documents.iter().map(|(name, _)| (0.0, *name)).collect();
        for word in words(prompt) {
            let having = self.documents.iter().filter(|(_, counts)| counts.contains_key(&word)).count() as f64;
            let rarity = (1.0 + (all - having + 0.5) / (having + 0.5)).ln();
            for ((score, _), (_, counts)) in scores.iter_mut().zip(&self.documents) {
                let count = counts.get(&word).copied().unwrap_or_default();
                let length: f64 = counts.values().sum();
                *score += rarity * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / self.mean));
            }
        }
        scores.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
        scores.into_iter().take(FIRST).map(|(_, name)| name).collect()
    }
}

#[test]
fn words_of_users_lead_to_the_right_tool() {
    let tools = Registry::all();
    let index = Index::new(&tools);
    let missed: Vec<_> = PROMPTS
        .iter()
        .filter(|(prompt, name)| !index.first(prompt).contains(name))
        .map(|(prompt, name)| format!("{name} for \"{prompt}\", but {}", index.first(prompt).join(", ")))
        .collect();
    let found = PROMPTS.len() - missed.len();
    println!("{found} of {} prompts; missed:\n{}", PROMPTS.len(), missed.join("\n"));
    assert!(found * 100 >= PROMPTS.len() * SHARE, "{found} of {}; missed:\n{}", PROMPTS.len(), missed.join("\n"));
}

#[test]
fn every_toolset_is_asked_for_and_no_tool_that_is_not_there() {
    let tools = Registry::all();
    let toolset =
        |name: &str| tools.iter().find(|tool| tool.definition.name == name).map(|tool| tool.definition.toolset);
    let unknown: Vec<_> = PROMPTS.iter().filter(|(_, name)| toolset(name).is_none()).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let asked: BTreeSet<_> = PROMPTS.iter().filter_map(|(_, name)| toolset(name)).collect();
    let all: BTreeSet<_> = tools.iter().map(|tool| tool.definition.toolset).collect();
    assert_eq!(asked, all);
}
