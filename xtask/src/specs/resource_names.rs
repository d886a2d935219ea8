//! Path parameters that hold slashes although nothing documents it.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Location, Operation};

/// A parameter that stands at the same place of the same URL as a documented resource name is one too: the server tells
/// `/api/2.0/agents/stores/a` and `/api/2.0/agents/stores/a/sessions/b` apart behind that place, not before it.
pub(crate) fn spread(operations: &mut BTreeMap<String, Operation>) {
    let mut known = BTreeSet::new();
    for operation in operations.values() {
        for parameter in &operation.parameters {
            if parameter.resource_name.is_some() {
                known.extend(place(&operation.path, &parameter.field.wire));
            }
        }
    }
    for operation in operations.values_mut() {
        let path = operation.path.clone();
        for parameter in operation.parameters.iter_mut().filter(|parameter| parameter.location == Location::Path) {
            let same_place = place(&path, &parameter.field.wire).is_some_and(|place| known.contains(&place));
            parameter.multi_segment |= same_place && !parameter.from_config;
        }
    }
}

/// The path up to a parameter, names of parameters erased.
fn place(path: &str, parameter: &str) -> Option<String> {
    let (before, _) = path.split_once(&format!("{{{parameter}}}"))?;
    Some(erase_names(before))
}

/// A path template without the names of its parameters.
pub(crate) fn erase_names(path: &str) -> String {
    let mut parts = path.split('{');
    let mut erased = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        erased.push_str("{}");
        erased.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    erased
}
