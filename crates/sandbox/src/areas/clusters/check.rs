//! Whether a cluster of some settings can be: its size, its Spark version, its nodes, its policy.
//!
//! Derived: the texts; of the Spark versions, all that have the form of one are taken.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

use crate::areas::{compute, policies};
use crate::error::ApiError;
use crate::workspace::Workspace;

static VERSION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(\d+\.\d+\.x-([a-z]+-)*scala2\.1[23]|auto:[a-z-]+|custom:.+)$").ok());

/// Settings of a request to create or change a cluster; its policy may add to them.
pub(super) fn settings(
    workspace: &Workspace,
    settings: &mut Map<String, Value>,
    defaults: bool,
) -> Result<(), ApiError> {
    if let Some(policy) = text(settings, "policy_id").map(str::to_owned) {
        policies::apply(workspace, &policy, settings, defaults)?;
    }
    let is_single = settings.get("is_single_node") == Some(&Value::Bool(true));
    if !is_single {
        one_size(settings)?;
    }
    match text(settings, "spark_version") {
        Some(version) if VERSION.as_ref().is_some_and(|form| form.is_match(version)) => {}
        Some(version) => return Err(ApiError::invalid_parameter(format!("Invalid spark version {version}."))),
        None => return Err(ApiError::missing_field("spark_version")),
    }
    for pool in ["instance_pool_id", "driver_instance_pool_id"].into_iter().filter_map(|name| text(settings, name)) {
        policies::check_pool(workspace, pool)?;
    }
    for node in ["node_type_id", "driver_node_type_id"].into_iter().filter_map(|name| text(settings, name)) {
        if !compute::NODE_TYPES.iter().any(|(known, ..)| *known == node) {
            let known = compute::NODE_TYPES.map(|(known, ..)| known).join(", ");
            let message = format!("Node type {node} is not supported. Supported node types: {known}");
            return Err(ApiError::invalid_parameter(message));
        }
    }
    Ok(())
}

fn text<'a>(settings: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    settings.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A cluster has a number of workers or a range of them.
pub(super) fn one_size(settings: &Map<String, Value>) -> Result<(), ApiError> {
    let is_given = |name: &str| settings.get(name).is_some_and(|value| !value.is_null());
    if is_given("num_workers") == is_given("autoscale") {
        return Err(ApiError::invalid_parameter("Exactly 1 of num_workers or autoscale must be specified."));
    }
    let number = |value: Option<&Value>| value.and_then(Value::as_i64).unwrap_or(0);
    let range =
        settings.get("autoscale").map(|scale| (number(scale.get("min_workers")), number(scale.get("max_workers"))));
    if number(settings.get("num_workers")) < 0 {
        return Err(ApiError::invalid_parameter("num_workers must not be negative"));
    }
    match range {
        Some((least, most)) if least < 0 || most < least => Err(ApiError::invalid_parameter(format!(
            "autoscale.max_workers ({most}) must not be less than autoscale.min_workers ({least})"
        ))),
        _ => Ok(()),
    }
}
