//! `source.json`: which release the documents come from, and what they hold.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::model::{Api, Operation, Schema, SchemaId};
use super::openapi::{path_keys, reachable};
use super::wheel::{DISTRIBUTION, Wheel};

/// The file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SourceFile {
    pub(crate) distribution: String,
    pub(crate) version: String,
    pub(crate) wheel: String,
    pub(crate) sha256: String,
    pub(crate) totals: Counts,
    pub(crate) packages: BTreeMap<String, Counts>,
}

/// What a package, or all of them, hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) operations: usize,
    pub(crate) methods: BTreeMap<String, usize>,
    /// Operations with the workspace routing header, and those without: these are the account's.
    pub(crate) workspace_level: usize,
    pub(crate) account_level: usize,
    /// Operations with the account's id in their path.
    pub(crate) account_paths: usize,
    pub(crate) deprecated: usize,
    /// Operations by style of pagination.
    pub(crate) pagination: BTreeMap<String, usize>,
    pub(crate) waiters: usize,
    pub(crate) waiting_operations: usize,
    pub(crate) long_running_operations: usize,
    pub(crate) schemas: usize,
    pub(crate) enums: usize,
    /// Classes of the SDK that no operation reaches; they are left out.
    pub(crate) unreachable_schemas: usize,
    pub(crate) resource_names: usize,
    pub(crate) multi_segment_parameters: usize,
    /// Groups of operations that share verb and path template, and how many operations are in them.
    pub(crate) collision_groups: usize,
    pub(crate) collisions: usize,
    /// Operations whose path key has a fragment.
    pub(crate) fragments: usize,
}

impl SourceFile {
    /// Counts what was imported.
    pub(crate) fn new(wheel: &Wheel, api: &Api) -> Self {
        let reachable = reachable(api);
        let packages: BTreeSet<&str> = api.operations.values().map(|operation| operation.package.as_str()).collect();
        let count = |package: &str| (package.to_owned(), counts(api, &reachable, Some(package)));
        let packages: BTreeMap<String, Counts> = packages.into_iter().map(count).collect();
        let mut totals = counts(api, &reachable, None);
        totals.fragments = packages.values().map(|counts| counts.fragments).sum();
        Self {
            distribution: DISTRIBUTION.to_owned(),
            version: wheel.version.clone(),
            wheel: wheel.file_name.clone(),
            sha256: wheel.sha256.clone(),
            totals,
            packages,
        }
    }
}

/// Counts one package, or all of them.
fn counts(api: &Api, reachable: &BTreeSet<SchemaId>, package: Option<&str>) -> Counts {
    let included = |name: &str| package.is_none_or(|package| package == name);
    let mut counts = Counts::default();
    let mut waiters = BTreeSet::new();
    let mut shared: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let operations = || api.operations.values().filter(|operation| included(&operation.package));
    for operation in operations() {
        counts.add(operation);
        if let Some(wait) = &operation.wait {
            waiters.insert((&wait.operation, &wait.state, &wait.success, &wait.failure));
        }
        *shared.entry((&operation.verb, &operation.path)).or_default() += 1;
    }
    counts.waiters = waiters.len();
    counts.collision_groups = shared.values().filter(|shared| **shared > 1).count();
    counts.collisions = shared.values().filter(|shared| **shared > 1).sum();
    counts.fragments = path_keys(operations()).values().filter(|key| key.contains('#')).count();
    for (id, schema) in api.schemas.iter().filter(|(id, _)| included(&id.package)) {
        if reachable.contains(id) {
            counts.schemas += 1;
            counts.enums += usize::from(matches!(schema, Schema::Enum(_)));
        } else {
            counts.unreachable_schemas += 1;
        }
    }
    counts
}

impl Counts {
    fn add(&mut self, operation: &Operation) {
        self.operations += 1;
        *self.methods.entry(operation.verb.clone()).or_default() += 1;
        self.workspace_level += usize::from(operation.workspace_routing);
        self.account_level += usize::from(!operation.workspace_routing);
        self.account_paths += usize::from(operation.is_accounts());
        self.deprecated += usize::from(operation.deprecated);
        if let Some(pagination) = &operation.pagination {
            *self.pagination.entry(pagination.style.name().to_owned()).or_default() += 1;
        }
        self.waiting_operations += usize::from(operation.wait.is_some());
        self.long_running_operations += usize::from(operation.long_running.is_some());
        for parameter in &operation.parameters {
            self.resource_names += usize::from(parameter.resource_name.is_some());
            self.multi_segment_parameters += usize::from(parameter.multi_segment);
        }
    }
}
