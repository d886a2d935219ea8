//! What has changed since the job last succeeded: its settings, its parameters, its code.

use std::collections::BTreeMap;

use databricks::Cursor;
use databricks::requests::jobs::jobs::ListRuns;
use databricks::requests::workspace::workspace;
use databricks::types::{Run, RunTask, RunType};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::domain::request;
use crate::domain::request::identifier;
use crate::domain::runs::root_cause::source;
use crate::domain::runs::run;
use crate::domain::text::{Keep, excerpt};
use crate::error::Error;
use crate::shape;

/// So many pages of older runs are looked through for one that succeeded.
const MOST_PAGES: usize = 4;
const RUNS_PER_PAGE: i64 = 24;
const MOST_CHANGES: usize = 15;
/// So many notebooks are asked when they were changed.
const MOST_NOTEBOOKS: usize = 8;
const MOST_OF_VALUE: usize = 100;

/// What a task run tells of one execution, not of its definition.
const OF_EXECUTION: [&str; 17] = [
    "attempt_number",
    "cleanup_duration",
    "cluster_instance",
    "effective_performance_target",
    "end_time",
    "execution_duration",
    "queue_duration",
    "resolved_values",
    "run_duration",
    "run_id",
    "run_page_url",
    "setup_duration",
    "start_time",
    "state",
    "stats",
    "status",
    "outcome",
];

/// The last run of the job that succeeded before this one, and what differs; `None` for a run without a job.
pub(crate) async fn since_last_success(context: &Context, run_id: i64, run: &Run) -> Result<Option<Value>, Error> {
    let (Some(job_id), Some(started)) = (run.job_id, run.start_time) else { return Ok(None) };
    if matches!(run.run_type, Some(RunType::SubmitRun | RunType::WorkflowRun)) {
        return Ok(None);
    }
    let Some(good_id) = last_success(context, job_id, run_id, started).await? else {
        return Ok(Some(json!({ "run_id": null, "hint": "no earlier retained run of this job succeeded" })));
    };
    let good = run::get(context, good_id, false).await?;
    let mut changes = differences(&definition(&good), &definition(run));
    changes.extend(changed_sources(context, run, good.start_time.unwrap_or_default(), started).await);
    let more = changes.len().saturating_sub(MOST_CHANGES);
    changes.truncate(MOST_CHANGES);
    if more > 0 {
        changes.push(format!("and {more} more"));
    }
    let mut answer = json!({ "run_id": good_id });
    if let Some(at) = good.start_time.and_then(shape::time) {
        shape::put(&mut answer, "start_time", at);
    }
    if changes.is_empty() {
        shape::put(
            &mut answer,
            "hint",
            "neither settings, parameters nor notebooks differ: look at the data or the environment",
        );
    }
    shape::put(&mut answer, "changes", changes);
    Ok(Some(answer))
}

async fn last_success(context: &Context, job_id: i64, run_id: i64, started: i64) -> Result<Option<i64>, Error> {
    let mut cursor: Option<Cursor> = None;
    for _ in 0..MOST_PAGES {
        let request = ListRuns::new().job_id(job_id).completed_only(true).start_time_to(started).limit(RUNS_PER_PAGE);
        let page = request::page(context, request, cursor.as_ref()).await?;
        let good = page.items.iter().find_map(|run| {
            let text = |path: &str| shape::at(run, path).and_then(Value::as_str);
            let told = text("state.result_state").or_else(|| text("status.termination_details.code"));
            let is_good = told == Some("SUCCESS");
            run.get("run_id").and_then(identifier).filter(|id| is_good && *id != run_id)
        });
        if good.is_some() {
            return Ok(good);
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    Ok(None)
}

/// What a run was to do, as far as the run tells.
fn definition(run: &Run) -> Value {
    let mut tasks = Map::new();
    for task in run::latest(&run.tasks) {
        let key = task.task_key.clone().unwrap_or_default();
        let mut task = serde_json::to_value(task).unwrap_or_default();
        defined_only(&mut task);
        tasks.insert(key, task);
    }
    let parameters = run.job_parameters.iter().filter_map(|parameter| {
        let value = parameter.value.clone().or_else(|| parameter.default.clone());
        Some((parameter.name.clone()?, json!(value)))
    });
    let mut definition = json!({ "tasks": tasks, "job_parameters": parameters.collect::<Map<_, _>>() });
    for (name, value) in [
        ("git_source", json!(run.git_source)),
        ("job_clusters", json!(run.job_clusters)),
        ("overriding_parameters", json!(run.overriding_parameters)),
        ("trigger", json!(run.trigger)),
    ] {
        shape::put(&mut definition, name, value);
    }
    definition
}

fn defined_only(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !OF_EXECUTION.contains(&name.as_str()));
            fields.values_mut().for_each(defined_only);
        }
        Value::Array(items) => items.iter_mut().for_each(defined_only),
        _ => {}
    }
}

/// Each place where two values differ, with both.
fn differences(before: &Value, now: &Value) -> Vec<String> {
    let (before, now) = (leaves(before), leaves(now));
    let mut differences = Vec::new();
    for (path, old) in &before {
        match now.get(path) {
            Some(new) if new == old => {}
            Some(new) => differences.push(format!("{path}: {old} -> {new}")),
            None => differences.push(format!("{path}: {old} removed")),
        }
    }
    let added = now.iter().filter(|(path, _)| !before.contains_key(*path));
    differences.extend(added.map(|(path, new)| format!("{path}: {new} added")));
    differences
}

/// The scalars of a value by their dotted paths; items of lists go by their key where they have one.
fn leaves(value: &Value) -> BTreeMap<String, String> {
    let mut leaves = BTreeMap::new();
    collect(value, String::new(), &mut leaves);
    leaves
}

fn collect(value: &Value, path: String, leaves: &mut BTreeMap<String, String>) {
    let under = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Null => {}
        Value::Object(fields) => fields.iter().for_each(|(name, field)| collect(field, under(name), leaves)),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let key = ["task_key", "job_cluster_key", "name"].into_iter().find_map(|key| item.get(key)?.as_str());
                collect(item, under(key.unwrap_or(&index.to_string())), leaves);
            }
        }
        scalar => {
            let text = excerpt(&scalar.to_string(), MOST_OF_VALUE, Keep::Head).text.replace('\n', " ");
            leaves.insert(path, text);
        }
    }
}

/// The notebooks and files of a run's tasks that were changed between two runs.
async fn changed_sources(context: &Context, run: &Run, good: i64, started: i64) -> Vec<String> {
    // What comes from Git is told by its commit.
    let is_local = |task: &&RunTask| run.git_source.is_none() && task.git_source.is_none();
    let mut paths: Vec<_> = run::latest(&run.tasks).into_iter().filter(is_local).filter_map(source).collect();
    paths.sort();
    paths.dedup();
    let mut changed = Vec::new();
    for path in paths.into_iter().filter(|path| path.starts_with('/')).take(MOST_NOTEBOOKS) {
        // One that is gone, or hidden, is told by the error of its task.
        let Ok(status) = context.send(workspace::GetStatus::new(&path)).await else { continue };
        let Some(modified) = status.get("modified_at").and_then(identifier) else { continue };
        let Some(Value::String(at)) = shape::time(modified) else { continue };
        if modified > started {
            changed.push(format!("`{path}` was changed at {at}, after this run began: it may already be corrected"));
        } else if modified > good {
            changed.push(format!("`{path}` was changed at {at}"));
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{defined_only, differences};

    #[test]
    fn only_what_differs_is_told() {
        let before = json!({ "tasks": { "a": { "path": "/x", "workers": 2, "old": true } }, "list": [{ "name": "p", "default": "1" }] });
        let now = json!({ "tasks": { "a": { "path": "/y", "workers": 2, "new": [1] } }, "list": [{ "name": "q", "default": "0" }, { "name": "p", "default": "1" }] });
        assert_eq!(
            differences(&before, &now),
            [
                "tasks.a.old: true removed",
                "tasks.a.path: \"/x\" -> \"/y\"",
                "list.q.default: \"0\" added",
                "list.q.name: \"q\" added",
                "tasks.a.new.0: 1 added",
            ]
        );
        assert!(differences(&now, &now).is_empty());
    }

    #[test]
    fn what_an_execution_tells_is_no_definition() {
        let mut task = json!({ "run_id": 1, "state": {}, "notebook_task": { "notebook_path": "/x" }, "for_each_task": { "stats": {}, "inputs": "[1]" } });
        defined_only(&mut task);
        assert_eq!(task, json!({ "notebook_task": { "notebook_path": "/x" }, "for_each_task": { "inputs": "[1]" } }));
    }
}
