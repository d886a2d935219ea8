//! What a policy allows the settings of a cluster to be.
//!
//! Derived: the texts. A rule holds for a setting that is given; of those that are not, fixed ones are filled in, and
//! others when their defaults are asked for. Of virtual attributes (`dbus_per_hour`, `cluster_type`) nothing is known.

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::json::Members;

const VIRTUAL: [&str; 2] = ["dbus_per_hour", "cluster_type"];

/// Checks settings against the definition of a policy, and adds what it sets.
pub(super) fn apply(
    definition: &Map<String, Value>,
    settings: &mut Map<String, Value>,
    defaults: bool,
) -> Result<(), ApiError> {
    for (path, rule) in definition.iter().filter(|(path, _)| !VIRTUAL.contains(&path.as_str())) {
        let steps = steps(path);
        let fixed = if rule.text_at("type") == "fixed" { rule.get("value") } else { None };
        match find(settings, &steps).cloned() {
            Some(given) => check(path, rule, &given)?,
            None => {
                let default = if defaults { rule.get("defaultValue") } else { None };
                if let Some(value) = fixed.or(default) {
                    put(settings, &steps, value.clone());
                }
            }
        }
    }
    Ok(())
}

/// The members that lead to a setting: names of Spark's settings, of tags and variables have dots of their own.
fn steps(path: &str) -> Vec<&str> {
    match path.split_once('.') {
        Some((first @ ("spark_conf" | "spark_env_vars" | "custom_tags"), rest)) => vec![first, rest],
        _ => path.split('.').collect(),
    }
}

fn find<'a>(settings: &'a Map<String, Value>, steps: &[&str]) -> Option<&'a Value> {
    let (first, rest) = steps.split_first()?;
    rest.iter().try_fold(settings.get(*first)?, |value, step| value.get(step)).filter(|value| !value.is_null())
}

fn put(settings: &mut Map<String, Value>, steps: &[&str], value: Value) {
    match steps {
        [] => {}
        [last] => {
            settings.insert((*last).to_owned(), value);
        }
        [first, rest @ ..] => {
            let inner = settings.entry((*first).to_owned()).or_insert_with(|| json!({}));
            if let Some(inner) = inner.as_object_mut() {
                put(inner, rest, value);
            }
        }
    }
}

fn check(path: &str, rule: &Value, given: &Value) -> Result<(), ApiError> {
    let listed = |name: &str| rule.at(name).as_array().is_some_and(|values| values.iter().any(|one| same(one, given)));
    let limit = |name: &str| rule.at(name).as_f64();
    let reason = match rule.text_at("type") {
        "fixed" if !same(rule.at("value"), given) => format!("the value must be {}", rule.at("value")),
        "forbidden" => "the value must not be set".to_owned(),
        "allowlist" if !listed("values") => format!("the value must be one of {}", rule.at("values")),
        "blocklist" if listed("values") => format!("the value must not be one of {}", rule.at("values")),
        "regex" if !matches(rule.text_at("pattern"), given) => {
            format!("the value must match the pattern {}", rule.text_at("pattern"))
        }
        "range" => match (given.as_f64(), limit("minValue"), limit("maxValue")) {
            (Some(number), _, Some(most)) if number > most => format!("the value cannot be greater than {most}"),
            (Some(number), Some(least), _) if number < least => format!("the value cannot be less than {least}"),
            _ => return Ok(()),
        },
        _ => return Ok(()),
    };
    let message = format!("Cluster validation error: Validation failed for {path}, {reason} (is {given})");
    Err(ApiError::invalid_parameter(message))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Policies write numbers and flags also as texts.
fn same(rule: &Value, given: &Value) -> bool {
    text(rule) == text(given)
}

/// A pattern that is none holds for nothing, as it does not keep policies from being made.
fn matches(pattern: &str, given: &Value) -> bool {
    Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|pattern| pattern.is_match(&text(given)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(definition: &Value, settings: &Value, defaults: bool) -> Result<Value, String> {
        let mut settings = settings.as_object().cloned().unwrap_or_default();
        match apply(definition.as_object().unwrap(), &mut settings, defaults) {
            Ok(()) => Ok(Value::Object(settings)),
            Err(error) => Err(format!("{error:?}")),
        }
    }

    #[test]
    fn rules_hold_for_what_is_given() {
        let definition = json!({
            "num_workers": {"type": "range", "minValue": 1, "maxValue": 4}, "spark_version": {"type": "regex", "pattern": "1[67].*"},
            "node_type_id": {"type": "allowlist", "values": ["a", "b"]}, "ssh_public_keys": {"type": "forbidden"},
            "spark_conf.spark.speculation": {"type": "fixed", "value": "true"}, "custom_tags.team": {"type": "blocklist", "values": ["x"]},
        });
        for (settings, told) in [
            (json!({"num_workers": 9}), "num_workers, the value cannot be greater than 4 (is 9)"),
            (json!({"num_workers": 0}), "cannot be less than 1"),
            (json!({"spark_version": "15.4"}), "must match the pattern"),
            (json!({"node_type_id": "c"}), "must be one of"),
            (json!({"ssh_public_keys": ["k"]}), "must not be set"),
            (json!({"spark_conf": {"spark.speculation": "false"}}), "must be"),
            (json!({"custom_tags": {"team": "x"}}), "must not be one of"),
        ] {
            let refused = outcome(&definition, &settings, false).unwrap_err();
            assert!(refused.contains(told), "{settings}: {refused}");
        }
        let fine = outcome(&definition, &json!({"num_workers": 4, "node_type_id": "a"}), false).unwrap();
        assert_eq!(fine["spark_conf"], json!({"spark.speculation": "true"}));
    }

    #[test]
    fn defaults_come_when_they_are_asked_for() {
        let definition = json!({"autoscale.max_workers": {"type": "range", "maxValue": 8, "defaultValue": 2}, "dbus_per_hour": {"type": "range", "maxValue": 1}});
        assert_eq!(outcome(&definition, &json!({}), false).unwrap(), json!({}));
        assert_eq!(outcome(&definition, &json!({}), true).unwrap(), json!({"autoscale": {"max_workers": 2}}));
    }
}
