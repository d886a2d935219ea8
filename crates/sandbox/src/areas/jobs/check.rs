//! Whether settings of jobs and one-time runs can be run: tasks that fit together, schedules that can come about.
//!
//! Derived: the texts of refusals. That a cluster, a notebook or a time zone does not exist is found out later.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::tasks_of;
use crate::areas::runs::{check_loop, dependencies};
use crate::error::ApiError;
use crate::json::Members;
use crate::request::Fields;

const MOST_TASKS: usize = 1000;
/// Of all tasks together.
const MOST_DEPENDENCIES: usize = 10_000;
const LONGEST_KEY: usize = 100;

/// Where a task runs, of which it can name one.
const PLACES: [&str; 3] = ["existing_cluster_id", "new_cluster", "job_cluster_key"];

/// Refuses settings that cannot be run.
pub(crate) fn settings(settings: &Map<String, Value>) -> Result<(), ApiError> {
    let fields = Fields(settings.clone());
    let tasks = fields.array("tasks")?;
    if tasks.len() > MOST_TASKS {
        return Err(refused(format!("A job can have at most {MOST_TASKS} tasks, not {}", tasks.len())));
    }
    let mut keys = BTreeSet::new();
    for task in tasks {
        let Value::Object(task) = task else {
            return Err(ApiError::malformed("Could not parse request object: a task must be an object"));
        };
        let key = Fields(task.clone()).required_text("task_key")?.to_owned();
        check_task(&key, task, settings)?;
        if !keys.insert(key.clone()) {
            return Err(refused(format!("Found duplicate task key: {key}")));
        }
        check_loop(task)?;
    }
    check_order(&tasks_of(settings), &keys)?;
    check_schedule(settings)
}

fn refused(message: String) -> ApiError {
    ApiError::invalid_parameter(message)
}

fn check_task(key: &str, task: &Map<String, Value>, settings: &Map<String, Value>) -> Result<(), ApiError> {
    let is_plain = key.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'));
    if !is_plain || key.len() > LONGEST_KEY {
        return Err(refused(format!(
            "Task key '{key}' must have at most {LONGEST_KEY} alphanumeric characters, hyphens and underscores"
        )));
    }
    let given = |name: &String| task.get(name).is_some_and(|value| !value.is_null());
    let kinds: Vec<_> = task.keys().filter(|name| name.ends_with("_task") && given(name)).collect();
    match kinds.as_slice() {
        [_] => {}
        [] => return Err(refused(format!("Task '{key}' has nothing to do: it needs one of the fields *_task"))),
        [first, second, ..] => {
            return Err(refused(format!("Task '{key}' can have one kind only, not {first} and {second}")));
        }
    }
    let places: Vec<_> = PLACES.into_iter().filter(|name| given(&(*name).to_owned())).collect();
    if let [first, second, ..] = places.as_slice() {
        return Err(refused(format!("Task '{key}' can run in one place only, not in {first} and {second}")));
    }
    for (field, list, name) in
        [("job_cluster_key", "job_clusters", "job_cluster_key"), ("environment_key", "environments", "environment_key")]
    {
        let Some(asked) = task.get(field).and_then(Value::as_str) else { continue };
        let mut known = settings.get(list).and_then(Value::as_array).into_iter().flatten();
        if !known.any(|item| item.text_at(name) == asked) {
            return Err(refused(format!("Task '{key}' names the {name} '{asked}', which is not among the {list}")));
        }
    }
    Ok(())
}

/// Every task has to come after those that it depends on, so none can depend on itself.
fn check_order(tasks: &[Map<String, Value>], keys: &BTreeSet<String>) -> Result<(), ApiError> {
    let all: usize = tasks.iter().map(|task| dependencies(task).len()).sum();
    if all > MOST_DEPENDENCIES {
        return Err(refused(format!(
            "The tasks of a job can have at most {MOST_DEPENDENCIES} dependencies, not {all}"
        )));
    }
    let mut waiting = Vec::new();
    for task in tasks {
        let before: BTreeSet<_> = dependencies(task).into_iter().map(|dependency| dependency.key).collect();
        if let Some(unknown) = before.iter().find(|key| !keys.contains(*key)) {
            return Err(refused(format!("Invalid dependency: task '{unknown}' is not part of the job")));
        }
        let key = task.get("task_key").and_then(Value::as_str).unwrap_or_default();
        waiting.push((key, before));
    }
    while !waiting.is_empty() {
        let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(_, before)| before.is_empty());
        if ready.is_empty() {
            let keys = rest.iter().map(|(key, _)| *key).collect::<Vec<_>>().join(", ");
            return Err(refused(format!("The dependencies of the tasks form a circle: {keys}")));
        }
        let done: BTreeSet<_> = ready.into_iter().map(|(key, _)| key).collect();
        waiting = rest;
        for (_, before) in &mut waiting {
            before.retain(|key| !done.contains(key.as_str()));
        }
    }
    Ok(())
}

fn check_schedule(settings: &Map<String, Value>) -> Result<(), ApiError> {
    let Some(schedule) = settings.get("schedule").filter(|schedule| schedule.is_object()) else { return Ok(()) };
    let expression = schedule.text_at("quartz_cron_expression");
    if is_cron(expression) {
        return Ok(());
    }
    Err(refused(format!(
        "Invalid quartz cron expression '{expression}': it has 6 or 7 fields (seconds, minutes, hours, day of month, month, day of week, year), and one of the days is '?'"
    )))
}

/// Whether a text has the form of a cron expression of Quartz.
fn is_cron(expression: &str) -> bool {
    let fields: Vec<_> = expression.split_whitespace().collect();
    let is_field = |field: &&str| {
        field.chars().all(|letter| letter.is_ascii_alphanumeric() || "*?/,-#".contains(letter))
            && field.contains(|letter: char| {
                letter.is_ascii_digit() || letter.is_ascii_uppercase() || "*?".contains(letter)
            })
    };
    let (Some(day), Some(weekday)) = (fields.get(3), fields.get(5)) else { return false };
    let in_range = |at: usize, most: u32| {
        let numbers = fields.get(at).into_iter().flat_map(|field| field.split(|letter: char| !letter.is_ascii_digit()));
        numbers.filter(|number| !number.is_empty()).all(|number| number.parse::<u32>().is_ok_and(|value| value <= most))
    };
    matches!(fields.len(), 6 | 7)
        && fields.iter().all(is_field)
        && (*day == "?") != (*weekday == "?")
        && in_range(0, 59)
        && in_range(1, 59)
        && in_range(2, 23)
        && in_range(3, 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_have_the_form_of_quartz() {
        for fine in ["0 0 2 * * ?", "0 0/15 8-18 ? * MON-FRI", "10 5 0 L * ?", "0 0 12 ? * 2#1 2027"] {
            assert!(is_cron(fine), "{fine}");
        }
        for wrong in
            ["", "bad", "0 0 2 * *", "0 0 2 * * *", "0 61 2 * * ?", "0 0 25 * * ?", "0 0 2 ? * ?", "a b c d e ?"]
        {
            assert!(!is_cron(wrong), "{wrong}");
        }
    }
}
