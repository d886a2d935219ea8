//! Dynamic values: what `{{…}}` in a task stands for.
//!
//! Known are `job.id`, `job.name`, `job.run_id`, `job.repair_count`, `job.start_time.iso_date`, `job.parameters.x`,
//! `task.name`, `task.run_id`, `task.execution_count`, `tasks.a.values.x`, `tasks.a.run_id`, `tasks.a.result_state`,
//! `input` and `input.x`, and the older `job_id`, `run_id`, `parent_run_id`, `task_key`, `start_date`. What is not
//! known stays as it is.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::run::{Run, TaskRun, plain};

/// What a task of a run can refer to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values {
    /// By the whole reference.
    named: BTreeMap<String, String>,
    input: Option<String>,
    /// The members of the input, where it is an object.
    fields: Map<String, Value>,
}

impl Values {
    pub(super) fn of(run: &Run, task: &TaskRun) -> Self {
        let mut named = BTreeMap::new();
        let mut name = |name: &str, value: String| named.insert(name.to_owned(), value);
        let date = Timestamp::from_millisecond(run.started).unwrap_or_default().strftime("%Y-%m-%d").to_string();
        for (names, value) in [
            (&["job.id", "job_id"][..], run.job.unwrap_or(run.id).to_string()),
            (&["job.run_id", "parent_run_id"], run.id.to_string()),
            (&["job.name"], run.name.clone()),
            (&["job.repair_count"], run.repairs.len().to_string()),
            (&["job.start_time.iso_date", "start_date"], date),
            (&["task.name", "task_key"], task.key.clone()),
            (&["task.run_id", "run_id"], task.id.to_string()),
            (&["task.execution_count"], (task.attempt + 1).to_string()),
        ] {
            for known in names {
                name(known, value.clone());
            }
        }
        for (parameter, value) in &run.parameters {
            name(&format!("job.parameters.{parameter}"), value.clone());
        }
        for other in run.latest() {
            name(&format!("tasks.{}.run_id", other.key), other.id.to_string());
            let Some(done) = other.done() else { continue };
            name(&format!("tasks.{}.result_state", other.key), done.result.to_lowercase());
            for (value_name, value) in &done.values {
                name(&format!("tasks.{}.values.{value_name}", other.key), value.clone());
            }
        }
        let fields = task.input.as_deref().and_then(|input| serde_json::from_str(input).ok()).unwrap_or_default();
        Self { named, input: task.input.clone(), fields }
    }

    /// A value that a task has set.
    pub(crate) fn of_task(&self, task: &str, name: &str) -> Option<&str> {
        self.named.get(&format!("tasks.{task}.values.{name}")).map(String::as_str)
    }

    fn get(&self, reference: &str) -> Option<String> {
        if let Some(value) = self.named.get(reference) {
            return Some(value.clone());
        }
        let input = self.input.as_ref()?;
        match reference.strip_prefix("input")? {
            "" => Some(input.clone()),
            rest => self.fields.get(rest.strip_prefix('.')?).map(plain),
        }
    }

    /// The text with its references replaced; nothing where they stand for more bytes than there is room for.
    fn fill(&self, text: &str, room: &mut usize) -> Option<String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            filled.push_str(before);
            match after.split_once("}}") {
                Some((reference, after)) => {
                    match self.get(reference.trim()) {
                        Some(value) => {
                            *room = room.checked_sub(value.len())?;
                            filled.push_str(&value);
                        }
                        None => filled.push_str(&format!("{{{{{reference}}}}}")),
                    }
                    rest = after;
                }
                None => {
                    filled.push_str("{{");
                    filled.push_str(after);
                    rest = "";
                }
            }
        }
        Some(filled + rest)
    }

    /// The same in all texts of a value, but for what belongs to iterations.
    pub(super) fn fill_all(&self, value: &mut Value, room: &mut usize) -> Option<()> {
        match value {
            Value::String(text) if text.contains("{{") => *text = self.fill(text, room)?,
            Value::Array(items) => return items.iter_mut().try_for_each(|item| self.fill_all(item, room)),
            Value::Object(members) => {
                // The task of a for-each task is filled for each input.
                let mut own = members.iter_mut().filter(|(name, _)| *name != "task");
                return own.try_for_each(|(_, member)| self.fill_all(member, room));
            }
            _ => {}
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_replaced_and_unknown_ones_left_alone() {
        let named = [("job.parameters.day", "3"), ("tasks.a.values.n", "{{x}}")];
        let values = Values {
            named: named.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            input: Some(r#"{"city": "Delft", "n": 4}"#.to_owned()),
            fields: json!({"city": "Delft", "n": 4}).as_object().cloned().unwrap(),
        };
        for (text, filled) in [
            ("day {{job.parameters.day}} of {{ job.parameters.day }}", "day 3 of 3"),
            ("{{tasks.a.values.n}}", "{{x}}"),
            ("{{tasks.b.values.n}} {{", "{{tasks.b.values.n}} {{"),
            ("{{input.city}} {{input.n}} {{input.none}}", "Delft 4 {{input.none}}"),
            ("é{{input}}é", "é{\"city\": \"Delft\", \"n\": 4}é"),
        ] {
            assert_eq!(values.fill(text, &mut 100).as_deref(), Some(filled));
        }
        // What would grow without end, or take a walk for each of its braces.
        assert_eq!(values.fill(&"{{input}}".repeat(5), &mut 100), None);
        let braces = "{{".repeat(1_000_000);
        assert_eq!(values.fill(&braces, &mut 100), Some(braces));
    }
}
